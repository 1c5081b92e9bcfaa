"""A training from its command to its end: in a directory that goes on, by one process, by several, or on Ray."""
