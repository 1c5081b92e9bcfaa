"""Distances between two sets of pictures, by their features; pure arithmetic in float64."""
