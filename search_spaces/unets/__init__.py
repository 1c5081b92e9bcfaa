"""Which architectures a UNet can have: its blocks and wiring, its space, what stock configs can say of it."""
