"""Decoder distillation: a channel-pruned copy of an image decoder, trained on latents that prompts alone give."""
