"""diffusers folders taken apart: text encoders, UNet, autoencoder, and how they sample."""
