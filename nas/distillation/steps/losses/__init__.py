"""What a student minimises: steps of DDIM in one, another kind of prediction, or consistency."""
