"""What an emoji shows, by the names that Unicode gives its characters, as far as this Python knows them."""

import unicodedata
import zoneinfo
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

JOINER: Final = 0x200D
SELECTORS: Final = (0xFE0E, 0xFE0F)  # text or picture, which say nothing of what is shown
_KEYCAP: Final = 0x20E3
_FLAG: Final = 0x1F3F4
LETTERS: Final = range(0x1F1E6, 0x1F200)  # regional indicators A to Z
TAGS: Final = range(0xE0020, 0xE007F)
_TONES: Final = dict(
    zip(
        range(0x1F3FB, 0x1F400),
        (f"{tone} skin" for tone in ("light", "medium-light", "medium", "medium-dark", "dark")),
        strict=True,
    )
)
_OTHERS: Final = {0x2640: "woman", 0x2642: "man", 0x1F9B0: "red hair", 0x1F9B1: "curly hair"}
_MORE: Final = {0x1F9B2: "bald", 0x1F9B3: "white hair", 0x2764: "red heart"}
_RIGHTWARDS: Final = 0x27A1
_REGIONS: Final = "iso3166.tab"


def caption_of(characters: Sequence[int], /) -> str | None:
    """Words for a sequence of characters; None where Python has no name of one of them.

    Args:
        characters: As Unicode's emoji sequences have them.
    """
    shown = [each for each in characters if each not in SELECTORS]
    if len(shown) == 2 and all(each in LETTERS for each in shown):
        code = "".join(chr(each - LETTERS.start + ord("A")) for each in shown)
        return f"flag of {_regions().get(code, code)}"
    if len(shown) > 1 and shown[0] == _FLAG and all(each in TAGS or each == TAGS.stop for each in shown[1:]):
        code = "".join(chr(each - 0xE0000) for each in shown[1:] if each in TAGS)
        return f"flag of {code[:2].upper()}-{code[2:].upper()}"
    if len(shown) == 2 and shown[1] == _KEYCAP:
        name = _name(shown[0])
        return None if name is None else f"keycap {name}"
    names = [_name(each) for each in shown if each != JOINER]
    if len(shown) > 1 and shown[-1] == _RIGHTWARDS:
        names[-1] = "facing right"
    return ", ".join(name for name in names if name is not None) if names and None not in names else None


def is_backwards(characters: Sequence[int], /) -> bool:
    """Whether a sequence, or a part of it, stands as in text that runs from right to left; fonts have both."""
    after_joiner = {each for before, each in pairwise(characters) if before == JOINER}
    return characters[0] in {0x2640, 0x2642, _RIGHTWARDS, *_TONES} or bool(after_joiner & _TONES.keys())


def _name(character: int) -> str | None:
    for words in (_TONES, _OTHERS, _MORE):
        if character in words:
            return words[character]
    if character in LETTERS or character in TAGS or character == TAGS.stop:
        return None  # half of a flag
    name = unicodedata.name(chr(character), None)
    return None if name is None else name.lower()


@cache
def _regions() -> Mapping[str, str]:
    """Names of regions by their codes, of the system's time zones; none where it has no such table."""
    tables = (Path(folder) / _REGIONS for folder in zoneinfo.TZPATH)
    table = next((path for path in tables if path.is_file()), None)
    if table is None:
        return {}
    rows = (line.split("\t") for line in table.read_text(encoding="utf-8").splitlines() if line[:1] != "#")
    return {row[0]: row[1] for row in rows if len(row) == 2}
