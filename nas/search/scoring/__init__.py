"""Scoring what steps ask for: each on as many prompts as it takes, from the store or by the workers."""
