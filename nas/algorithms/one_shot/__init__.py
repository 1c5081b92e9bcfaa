"""Algorithms that train once and then only score: one supernet, batches of architectures, the best one is kept.

`campaign` is the fold that they share, `proposer` what they draw from; each algorithm is a file of its own.
"""
