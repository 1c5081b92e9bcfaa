"""Layouts that nobody searched for: the bars that any search must clear. Pure."""
