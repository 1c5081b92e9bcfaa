"""One search: its driver, and what a round trains and scores."""
