"""Measuring blocks and whole UNets on this machine."""
