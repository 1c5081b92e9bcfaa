"""Which blocks a training step leaves out."""
