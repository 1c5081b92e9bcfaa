"""Devices that are elsewhere: files to measure there, and reports that come back."""
