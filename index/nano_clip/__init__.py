"""The embedded CLIP of the picture-book world: its configuration and weights as package data."""
