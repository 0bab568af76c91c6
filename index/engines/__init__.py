"""Who does the work of a build: this machine's threads, or a Ray cluster."""
