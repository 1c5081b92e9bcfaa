"""What an entry point names, and is no plugin."""

NUMBER = 42
