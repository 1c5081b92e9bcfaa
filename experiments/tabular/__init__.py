"""The tabular benchmark: recording a sub-space, packing it, and what each algorithm makes of it."""
