"""What a person at a terminal sees: words, bars, summaries, listings, errors."""
