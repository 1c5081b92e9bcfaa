"""What a config names: bundled things by their names, and paths that mean the same from everywhere."""
