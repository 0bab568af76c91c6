"""Many briefs at once: rows read, composed side by side, and kept a row a folder."""
