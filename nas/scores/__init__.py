"""Numbers per prompt: prompts, intervals, and the store that keeps scores by content."""
