"""What a config names: bundled things by their names, and the same config without its places."""
