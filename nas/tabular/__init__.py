"""Tabular benchmarks: recorded scores of a whole sub-space, on which algorithms are compared without a model."""
