"""Distillation: a UNet of fewer steps, and an image decoder of fewer channels, each learned from what it replaces."""
