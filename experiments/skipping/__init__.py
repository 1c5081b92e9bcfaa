"""How often blocks should be skipped in robust training: a study on a small model, and what single removals cost."""
