"""Mutation testing: small faults planted in the code one at a time; tests that still pass do not see them."""
