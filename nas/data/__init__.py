"""Captioned pictures for robust training."""
