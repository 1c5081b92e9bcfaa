"""Latency tables as pictures."""
