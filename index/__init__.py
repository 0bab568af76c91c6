"""Pictures in, nearest pictures out. Knows nothing of articles."""
