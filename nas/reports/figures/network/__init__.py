"""Figures that draw the network itself, stage by stage and block by block."""
