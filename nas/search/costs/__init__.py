"""What a search will cost, before it is spent: its work, what its rounds may bring, and how quick the machine is."""
