"""Algorithms around algorithms: each passes on the steps of the one inside, with its own before or after them. Pure."""
