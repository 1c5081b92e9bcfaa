"""A package whose entry points are no plugins."""

NUMBER = 42
