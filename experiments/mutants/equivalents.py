"""Mutants that change nothing that anybody could see, each with its reason, in `equivalents.toml`.

A table of the module's name each, with the text of the line, the change as the tool tells it, and `because`; `column`,
counted from 0, where the same change can be made twice in the line. A line that is written anew is tried anew.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from experiments.mutants.planting import Mutant

LIST: Final = Path(__file__).with_suffix(".toml")


@cache
def equivalents() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """What is known of each module."""
    return tomllib.loads(LIST.read_text(encoding="utf-8"))


def reason(module: str, text: str, planted: Mutant, /) -> str:
    """Why a mutant of a module, by its name and source, changes nothing; empty when that is not known."""
    line = text.splitlines()[planted.line - 1].strip()
    for known in equivalents().get(module, ()):
        if (known["line"], known["change"]) == (line, planted.what) and known.get(
            "column", planted.column
        ) == planted.column:
            return str(known["because"])
    return ""
