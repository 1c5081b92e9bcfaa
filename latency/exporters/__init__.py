"""Exporters: what writes a block as a file of one format; see `latency.block_export.Exporter`."""
