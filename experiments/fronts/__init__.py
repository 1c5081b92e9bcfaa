"""Fronts of score and latency on the bundled model's full space, by every algorithm, at equal passes."""
