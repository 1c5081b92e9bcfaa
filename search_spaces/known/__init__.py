"""Architectures that others published, and a listing of them."""
