"""How a device computes: types, compiled blocks, numbers that are not finite."""
