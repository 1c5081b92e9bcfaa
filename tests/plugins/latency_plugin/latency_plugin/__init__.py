"""A latency source, a backend and an importer, each a few lines."""
