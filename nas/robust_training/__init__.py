"""Robust training without a search: the paper's first stage, on one process or many, in a directory of its own."""
