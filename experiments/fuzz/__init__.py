"""Fuzzers: damaged inputs by the thousand, each of which must be read or refused in words, never anything else."""
