"""Article templates and the prompts of each dialect, as package data."""
