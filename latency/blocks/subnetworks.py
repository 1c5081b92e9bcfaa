"""Random sub-networks of a space: what predictions of a table are checked with."""

import random
from typing import Final

from search_spaces import Architecture, UNetSpace
from search_spaces.files.user_error import UserError

# Chances that make sub-networks from nearly whole to nearly empty, some with copies.
REMOVAL_SHARES: Final = (0.1, 0.6)
COPY_SHARE: Final = 0.1


def random_architectures(space: UNetSpace, /, *, num: int, seed: int) -> tuple[Architecture, ...]:
    """Different random architectures of a space, none of them its base.

    Raises:
        ValueError: The space is too small to find that many.
    """
    rng = random.Random(seed)
    found: dict[Architecture, None] = {}
    for _ in range(20 * num):
        if len(found) == num:
            break
        architecture, share = space.base, rng.uniform(*REMOVAL_SHARES)
        for possible, chance in ((space.removals, share), (space.copies, COPY_SHARE)):
            for action in possible(architecture):
                if rng.random() < chance:
                    architecture = action.apply(architecture)
        if architecture != space.base:
            found[architecture] = None
    if len(found) < num:
        raise UserError(
            f"the space must hold {num} random sub-networks, but only {len(found)} were found; ask for fewer"
        )
    return tuple(found)
