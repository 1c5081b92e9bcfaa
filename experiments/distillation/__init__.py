"""Step distillation and the small decoder on the bundled model: configs, and what compares their results."""
