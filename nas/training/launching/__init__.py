"""Training on several processes: how many and where, and how they agree."""
