"""How listings of the command line are printed."""

from enum import StrEnum
from typing import Annotated, Final

import typer

MAX_SEED: Final = 2**32 - 1  # the bits of a seed that torch's generator uses on a CPU
MAX_BATCH: Final = 2**16  # pictures a pass; more is a slip of the hand, which would end without memory
MAX_LATENTS: Final = 2**12  # a side, of pictures of 32,768 pixels


class Format(StrEnum):
    """How a listing is printed."""

    TABLE = "table"
    JSON = "json"


class TableFormat(StrEnum):
    """How a latency table is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class FindingsFormat(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="a table to read, or JSON with stable keys")]


def duration(seconds: float, /) -> str:
    """A time as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 360_000 else f"{seconds / 86_400:.0f} days"
