"""Captioned pictures as batches that a UNet trains on."""
