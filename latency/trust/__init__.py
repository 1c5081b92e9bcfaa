"""How far to believe a table."""
