"""What a UNet is worth: validation captions, seeded sampling, CLIP scores."""
