"""A module that cannot be imported."""

raise ZeroDivisionError("no device in sight")
