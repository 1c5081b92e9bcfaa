"""Training a supernet: data, the forward process, and steps that leave blocks out."""
