"""What the small model's pictures may show, and the one sentence that says it.

A scene holds one item at a place, or two items in a relation, on a background. What a caption leaves out has one
meaning: medium size, at the centre, on a white background. So every caption names exactly one kind of picture, and
two different scenes never share a caption.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from search_spaces.files.user_error import UserError

SHAPES: Final = ("circle", "square", "triangle", "cross", "ring")
COLOURS: Final = ("red", "green", "blue", "yellow", "purple", "orange")
SIZES: Final = ("medium", "small", "large")
PLACES: Final = ("centre", "top", "bottom", "left", "right")
BACKGROUNDS: Final = ("white", "black", "gray", "pink")
RELATIONS: Final = ("above", "below", "left of", "right of")
HELD_OUT_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One shape of one colour; `size` counts only when the item stands alone."""

    shape: str
    colour: str
    size: str = "medium"

    def __post_init__(self) -> None:
        for field, value, allowed in (
            ("shape", self.shape, SHAPES),
            ("colour", self.colour, COLOURS),
            ("size", self.size, SIZES),
        ):
            if value not in allowed:
                raise UserError(f"`{field}` must be one of {', '.join(allowed)}, but got {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One item at a `place`, or two items where the first stands in `relation` to the second."""

    items: tuple[Item, ...]
    background: str = "white"
    place: str = "centre"
    relation: str | None = None

    def __post_init__(self) -> None:
        if self.background not in BACKGROUNDS:
            raise UserError(f"`background` must be one of {', '.join(BACKGROUNDS)}, but got {self.background!r}")
        if self.place not in PLACES:
            raise UserError(f"`place` must be one of {', '.join(PLACES)}, but got {self.place!r}")
        if len(self.items) == 1:
            if self.relation is not None:
                raise UserError(f"`relation` needs two items, but got one item and {self.relation!r}")
        elif len(self.items) == 2:
            if self.relation not in RELATIONS:
                raise UserError(f"`relation` must be one of {', '.join(RELATIONS)}, but got {self.relation!r}")
            if self.place != "centre":
                raise UserError(f"`place` must be centre for two items, but got {self.place!r}")
            if any(item.size != "medium" for item in self.items):
                raise UserError("`size` must be medium for two items: only an item that stands alone has a size")
        else:
            raise UserError(f"`items` must hold one or two items, but got {len(self.items)}")


def caption_of(scene: Scene, /) -> str:
    """The caption of a scene, such as "a small red ring at the left on a black background"."""
    first = scene.items[0]
    if scene.relation is None:
        size = () if first.size == "medium" else (first.size,)
        text = _noun(*size, first.colour, first.shape)
        if scene.place != "centre":
            text += f" at the {scene.place}"
    else:
        second = scene.items[1]
        text = f"{_noun(first.colour, first.shape)} {scene.relation} {_noun(second.colour, second.shape)}"
    return text if scene.background == "white" else f"{text} on a {scene.background} background"


def _noun(*words: str) -> str:
    return f"{'an' if words[0] == 'orange' else 'a'} {' '.join(words)}"


def is_held_out(caption: str, /) -> bool:
    """Whether the caption belongs to the tenth that no training of the bundled model has seen."""
    digest = hashlib.sha256(caption.encode()).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT_SHARE * 2**32


def sample_scene(rng: np.random.Generator, /) -> Scene:
    """A random scene: half of them with two items; the words that may be left out are, half of the time."""

    def pick(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    def sometimes(options: tuple[str, ...]) -> str:
        return options[0] if rng.random() < 0.5 else pick(options)

    background = sometimes(BACKGROUNDS)
    if rng.random() < 0.5:
        item = Item(shape=pick(SHAPES), colour=pick(COLOURS), size=sometimes(SIZES))
        return Scene(items=(item,), background=background, place=sometimes(PLACES))
    items = tuple(Item(shape=pick(SHAPES), colour=pick(COLOURS)) for _ in range(2))
    return Scene(items=items, background=background, relation=pick(RELATIONS))


def near_miss(scene: Scene, rng: np.random.Generator, /) -> Scene:
    """The same scene with one thing changed: the negatives that teach a CLIP model to look closely."""
    choice = int(rng.integers(4))
    if choice == 0:
        others = tuple(b for b in BACKGROUNDS if b != scene.background)
        return replace(scene, background=others[int(rng.integers(len(others)))])
    if choice == 1 and scene.relation is not None:
        if scene.items[0] != scene.items[1]:
            return replace(scene, items=scene.items[::-1])
        others = tuple(r for r in RELATIONS if r != scene.relation)
        return replace(scene, relation=others[int(rng.integers(len(others)))])
    if choice == 1:
        others = tuple(p for p in PLACES if p != scene.place)
        return replace(scene, place=others[int(rng.integers(len(others)))])
    index = int(rng.integers(len(scene.items)))
    item = scene.items[index]
    options = SHAPES if choice == 2 else COLOURS
    field = "shape" if choice == 2 else "colour"
    others = tuple(o for o in options if o != getattr(item, field))
    changed = replace(item, **{field: others[int(rng.integers(len(others)))]})
    return replace(scene, items=tuple(changed if i == index else it for i, it in enumerate(scene.items)))
