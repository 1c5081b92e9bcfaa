"""`nas latency`, a file per command."""
