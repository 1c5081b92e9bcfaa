"""Four architectures from one scoring: one per device, and one for all of them."""
