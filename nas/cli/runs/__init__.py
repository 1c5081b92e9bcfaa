"""Commands about runs that are there: listing, comparing, and their frames in others' formats."""
