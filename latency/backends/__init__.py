"""Backends: what runs blocks in one runtime on one device; see `latency.backends.backend.Backend`."""
