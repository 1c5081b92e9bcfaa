"""Commands about the quality of pictures."""
