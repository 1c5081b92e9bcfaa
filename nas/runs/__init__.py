"""A run on disk: its directory, trace, checkpoints and spec."""
