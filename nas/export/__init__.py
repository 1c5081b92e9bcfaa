"""A result as something that loads."""
