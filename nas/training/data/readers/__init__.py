"""Captioned pictures on disk, in the formats that people have them in, one after the other."""
