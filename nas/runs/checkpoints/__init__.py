"""What a run keeps of its rounds: architectures, weights by content, and what these were trained from."""
