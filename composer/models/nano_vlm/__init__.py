"""The embedded vision-language model of the picture-book world: its weights and processor as package data."""
