"""What a UNet is worth: numbers per prompt, by judging its pictures or by probing the network."""
