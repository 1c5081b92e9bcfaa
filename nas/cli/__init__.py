"""The command line, which talks to people."""

from nas.cli.app import main

__all__ = ["main"]
