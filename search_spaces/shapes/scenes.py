"""What the small model's pictures may show, and the one sentence that says it.

A scene holds one to four things: one alone, several alike, or two groups beside each other or in a relation. A caption
says what is there and how it is ordered; it does not say where a thing stands that has no place, how it is turned, nor
its exact shade: many pictures share a caption, and a model that averages them blurs.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from search_spaces.files.user_error import UserError

THINGS: Final = (
    "circle", "square", "triangle", "ring", "star", "heart", "house", "tree", "fish", "flower", "moon", "cup", "face",
)  # fmt: skip
COLOURS: Final = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
TEXTURES: Final = ("plain", "striped", "dotted")
SIZES: Final = ("medium", "small", "large")
PLACES: Final = ("anywhere", "top", "bottom", "left", "right", "centre")
BACKGROUNDS: Final = ("white", "black", "gray", "blue", "green", "yellow")
RELATIONS: Final = ("above", "below", "left of", "right of")
AND: Final = "and"
COUNTS: Final = {1: "a", 2: "two", 3: "three", 4: "four"}
MAX_THINGS: Final = 4
HELD_OUT_SHARE: Final = 0.1
_PLURALS: Final = {"fish": "fish"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Things that are alike; `size` counts only where one of them stands alone."""

    thing: str
    colour: str
    count: int = 1
    texture: str = "plain"
    size: str = "medium"

    def __post_init__(self) -> None:
        for field, value, allowed in (
            ("thing", self.thing, THINGS),
            ("colour", self.colour, COLOURS),
            ("count", self.count, tuple(COUNTS)),
            ("texture", self.texture, TEXTURES),
            ("size", self.size, SIZES),
        ):
            if value not in allowed:
                raise UserError(f"`{field}` must be one of {', '.join(map(str, allowed))}, but got {value!r}")

    @property
    def look(self) -> tuple[str, str]:
        """By which two groups of a scene are told apart."""
        return self.thing, self.colour

    @property
    def noun(self) -> str:
        """Such as "three striped red stars"."""
        words = [word for word in (self.size, self.texture) if word not in ("medium", "plain")]
        thing = self.thing if self.count == 1 else _PLURALS.get(self.thing, f"{self.thing}s")
        words += [self.colour, thing]
        return f"{_article(words[0]) if self.count == 1 else COUNTS[self.count]} {' '.join(words)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One group, one of one thing perhaps at a `place`; or two, the first in `relation` to the second.

    Attributes:
        groups: What is there.
        background: Its colour; that of the upper edge where `fades_to` is another.
        fades_to: Colour of the lower edge.
        place: Where a thing that is alone stands.
        relation: Of two groups; "and" = anywhere beside each other.
    """

    groups: tuple[Group, ...]
    background: str = "white"
    fades_to: str | None = None
    place: str = "anywhere"
    relation: str | None = None

    def __post_init__(self) -> None:
        for field, value in (("background", self.background), ("fades_to", self.fades_to or BACKGROUNDS[0])):
            if value not in BACKGROUNDS:
                raise UserError(f"`{field}` must be one of {', '.join(BACKGROUNDS)}, but got {value!r}")
        if self.fades_to == self.background:
            raise UserError(f"`fades_to` must be another colour than the background, but both are {self.background!r}")
        if self.place not in PLACES:
            raise UserError(f"`place` must be one of {', '.join(PLACES)}, but got {self.place!r}")
        if not 1 <= len(self.groups) <= 2:
            raise UserError(f"`groups` must hold one or two groups, but got {len(self.groups)}")
        if len({group.look for group in self.groups}) < len(self.groups):
            raise UserError("two groups of a scene must differ in thing or colour")
        if self.num_things > MAX_THINGS:
            raise UserError(f"a scene must hold at most {MAX_THINGS} things, but got {self.num_things}")
        if (self.relation is not None) is not (len(self.groups) == 2):
            raise UserError(f"`relation` belongs to two groups, but {len(self.groups)} have {self.relation!r}")
        if self.relation not in (None, AND, *RELATIONS):
            raise UserError(f"`relation` must be one of {', '.join((AND, *RELATIONS))}, but got {self.relation!r}")
        if self.num_things > 1 and (self.place != "anywhere" or any(group.size != "medium" for group in self.groups)):
            raise UserError("`place` and `size` belong to a thing that is alone")

    @property
    def num_things(self) -> int:
        """Things in all."""
        return sum(group.count for group in self.groups)


def caption_of(scene: Scene, /) -> str:
    """The caption of a scene, such as "two red stars above a striped blue fish on a black background"."""
    text = f" {scene.relation} ".join(group.noun for group in scene.groups)
    if scene.place != "anywhere":
        text += f" {'in' if scene.place == 'centre' else 'at'} the {scene.place}"
    if scene.fades_to is not None:
        return f"{text} on a background from {scene.background} to {scene.fades_to}"
    return (
        text if scene.background == "white" else f"{text} on {_article(scene.background)} {scene.background} background"
    )


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def is_held_out(caption: str, /) -> bool:
    """Whether the caption belongs to the tenth that no training of the bundled model has seen."""
    digest = hashlib.sha256(caption.encode()).digest()
    return int.from_bytes(digest[:4], "big") < HELD_OUT_SHARE * 2**32


def sample_scene(rng: np.random.Generator, /) -> Scene:
    """A random scene; words that may be left out are, half of the time."""

    def pick(options: tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    def sometimes(options: tuple[str, ...]) -> str:
        return options[0] if rng.random() < 0.5 else pick(options)

    def group(count: int = 1, size: str = "medium") -> Group:
        return Group(thing=pick(THINGS), colour=pick(COLOURS), texture=sometimes(TEXTURES), count=count, size=size)

    background, fades_to = sometimes(BACKGROUNDS), None
    if rng.random() < 0.25:
        fades_to = pick(tuple(colour for colour in BACKGROUNDS if colour != background))
    kind = rng.random()
    if kind < 0.3:
        one = group(size=sometimes(SIZES))
        return Scene(groups=(one,), background=background, fades_to=fades_to, place=sometimes(PLACES))
    if kind < 0.5:
        return Scene(groups=(group(int(rng.integers(2, 5))),), background=background, fades_to=fades_to)
    relation = AND if kind < 0.65 else pick(RELATIONS)
    first, second = ((1, 1), (1, 1), (2, 1), (1, 2), (3, 1), (1, 3))[int(rng.integers(6))]
    groups = (group(first), group(second))
    if groups[0].look == groups[1].look:
        groups = (groups[0], replace(groups[1], thing=pick(tuple(t for t in THINGS if t != groups[0].thing))))
    return Scene(groups=groups, background=background, fades_to=fades_to, relation=relation)


def near_miss(scene: Scene, rng: np.random.Generator, /) -> Scene:
    """The same scene with one thing changed: the negatives that teach a CLIP model to look closely."""
    while True:
        try:
            return _changed(scene, rng)
        except UserError:  # two groups that would look alike
            continue


def _changed(scene: Scene, rng: np.random.Generator) -> Scene:
    def other(options: tuple[str, ...], than: str) -> str:
        rest = tuple(option for option in options if option != than)
        return rest[int(rng.integers(len(rest)))]

    index = int(rng.integers(len(scene.groups)))
    group = scene.groups[index]
    choice = rng.choice(["background", "order", "thing", "colour", "texture", "count"])
    if choice == "background":
        colour = other(tuple(c for c in BACKGROUNDS if c != scene.fades_to), scene.background)
        return replace(scene, background=colour)
    if choice == "order" and scene.relation in RELATIONS:
        return replace(scene, groups=scene.groups[::-1])
    if choice == "order" and scene.num_things == 1:
        return replace(scene, place=other(PLACES, scene.place))
    if choice == "count" and scene.num_things > 1:
        rest = scene.num_things - group.count
        counts = [n for n in COUNTS if n != group.count and 1 < rest + n <= MAX_THINGS]
        changed = (
            replace(group, count=int(rng.choice(counts)))
            if counts
            else replace(group, thing=other(THINGS, group.thing))
        )
    elif choice in ("order", "count", "thing"):
        changed = replace(group, thing=other(THINGS, group.thing))
    elif choice == "colour":
        changed = replace(group, colour=other(COLOURS, group.colour))
    else:
        changed = replace(group, texture=other(TEXTURES, group.texture))
    return replace(scene, groups=tuple(changed if i == index else it for i, it in enumerate(scene.groups)))
