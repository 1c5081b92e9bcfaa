"""How many pictures a decision needs."""
