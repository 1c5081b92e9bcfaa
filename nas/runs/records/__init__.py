"""What a search writes beside its trace, for those who look at it: nothing is replayed from it or compared with it."""
