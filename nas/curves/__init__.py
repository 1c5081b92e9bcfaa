"""How good a model's pictures are, over guidance, steps and schedulers: curves of one or several folders."""
