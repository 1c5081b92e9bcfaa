"""Where a document may be damaged."""

import random
from typing import Any


def somewhere(document: Any, dice: random.Random, /, *, deeper: float) -> tuple[Any, Any]:
    """A mapping or list of a document that is not empty, and a key of it.

    Args:
        document: Mapping or list with something in it.
        dice: What decides.
        deeper: The chance to go on into what stands there, at each step.
    """
    holder, key = document, _key(document, dice)
    while isinstance(holder[key], (dict, list)) and holder[key] and dice.random() < deeper:
        holder = holder[key]
        key = _key(holder, dice)
    return holder, key


def _key(holder: Any, dice: random.Random) -> Any:
    return dice.choice(sorted(holder)) if isinstance(holder, dict) else dice.randrange(len(holder))
