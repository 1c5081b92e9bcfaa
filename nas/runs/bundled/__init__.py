"""Runs that come with the installation, and the names that they go by."""
