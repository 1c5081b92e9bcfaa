"""Words become objects here and nowhere else."""
