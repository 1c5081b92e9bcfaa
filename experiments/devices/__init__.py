"""One scoring, an architecture per device and one for all of them; one device's table comes from its own profiler."""
