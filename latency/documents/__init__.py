"""Latency tables on disk, read strictly."""
