"""Exporters: what writes a block as a file of one format; see `latency.exporters.cache.Exporter`."""
