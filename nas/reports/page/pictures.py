"""A run's pictures for a page: small, each once, and found again by round, action and prompt.

All of a page's pictures together keep to a budget: a run of many rounds shows fewer of each, and smaller ones. Those of
the base and of what was found keep their size.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd
from PIL import Image

from nas.reports.page.values import Picture, Shown

BUDGET: Final = 450_000  # characters of all pictures of a page, but those of base and found
SIDES: Final = (192, 160, 128, 96, 64)  # pixels of a picture in the page: the first that keeps to the budget
MAX_PROMPTS: Final = 8  # of each round
FEW_PROMPTS: Final = 4  # of a round among many, and of each action
MANY_ROUNDS: Final = 12
QUALITY: Final = 88
_DAMAGED: Final = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow says of such files


class Album:
    """The pictures of a run by (round, action); `taken` holds those that were asked for, each once.

    Args:
        frame: `Run.pictures`.
        found: The round of the result; None = as yet there is none.
    """

    def __init__(self, frame: pd.DataFrame, /, *, found: int | None = None) -> None:
        self.taken: dict[str, Picture] = {}
        self.num_damaged = 0
        self._damaged: set[str] = set()
        self._png: dict[tuple[int, str], dict[str, bytes]] = {}
        self._captions: dict[str, str] = {}
        for row in frame.to_dict(orient="records"):
            action = row["action"] if isinstance(row["action"], str) else ""
            self._png.setdefault((int(row["round"]), action), {})[str(row["prompt_id"])] = row["png"]
            self._captions.setdefault(str(row["prompt_id"]), str(row["caption"]))
        rounds = [number for number, action in self._png if not action]
        self._ends = {*rounds[:1], *rounds[-1:]} if found is None else {*rounds[:1], found}
        self._most = FEW_PROMPTS if len(rounds) > MANY_ROUNDS else MAX_PROMPTS
        self._side = self._fitting_side()

    @property
    def left_out(self) -> str:
        """What was left out to keep a page small, as a sentence; "" where nothing was."""
        rounds = f"{self._most} of each round" if self._most < MAX_PROMPTS else ""
        sides = f"at most {self._side} pixels a side" if self._side < SIDES[0] else ""
        told = " and ".join(each for each in (sides, rounds) if each)
        return f"Pictures are {told}, but those of base and found" if told else ""

    def _fitting_side(self) -> int:
        """The largest side at which all pictures keep to the budget, by what the first of them takes."""
        num = sum(min(len(there), self.most(number, action=action)) for (number, action), there in self._png.items())
        for png in (png for there in self._png.values() for png in there.values()):
            try:
                sizes = {side: len(encoded(png, key="", side=side).uri) for side in SIDES}
            except _DAMAGED:
                continue
            return next((side for side in SIDES if num * sizes[side] <= BUDGET), SIDES[-1])
        return SIDES[0]

    def most(self, number: int, /, *, action: str = "") -> int:
        """How many prompts of a round, or of an action in it, are shown."""
        return FEW_PROMPTS if action else MAX_PROMPTS if number in self._ends else self._most

    def rounds_of(self, actions: Sequence[str], /) -> Sequence[tuple[int, str]]:
        """Where there are pictures of any of these actions, the last round first."""
        return sorted(((number, action) for number, action in self._png if action in actions), reverse=True)

    def prompts(self, number: int, /, *, action: str = "") -> tuple[str, ...]:
        """Ids of the prompts that were drawn there."""
        return tuple(self._png.get((number, action), {}))[: self.most(number, action=action)]

    def shown(self, number: int, /, *, prompts: Sequence[str], action: str = "") -> tuple[Shown, ...]:
        """Pictures of these prompts, with an empty place where one is missing or damaged."""
        return tuple(self._shown(number, action, prompt) for prompt in prompts)

    def _shown(self, number: int, action: str, prompt: str) -> Shown:
        caption, png = self._captions.get(prompt, ""), self._png.get((number, action), {}).get(prompt)
        key = f"p{len(self.taken)}" if png is None else self._key(number, action, prompt)
        if png is None or key in self._damaged:
            return Shown(caption=caption, key=None)
        if key not in self.taken:
            try:
                side = SIDES[0] if number in self._ends and not action else self._side
                self.taken[key] = encoded(png, key=key, side=side)
            except _DAMAGED:
                self._damaged.add(key)
                self.num_damaged += 1
                return Shown(caption=caption, key=None)
        picture = self.taken[key]
        return Shown(caption=caption, key=key, size=(picture.width, picture.height))

    def _key(self, number: int, action: str, prompt: str) -> str:
        """An id for the page, made of whole numbers alone."""
        place, prompts = list(self._png).index((number, action)), self._png[number, action]
        return f"p{place}-{list(prompts).index(prompt)}"


def encoded(png: bytes, /, *, key: str, side: int = SIDES[0]) -> Picture:
    """A picture as WebP, at most `side` pixels a side.

    Raises:
        OSError: It is damaged, as Pillow says it.
    """
    image = Image.open(io.BytesIO(png), formats=["PNG"]).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY, method=4)
    uri = "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
    return Picture(key=key, uri=uri, width=image.width, height=image.height)


def by_key(pictures: Sequence[Picture], /) -> Mapping[str, Picture]:
    """The same by their key."""
    return {picture.key: picture for picture in pictures}
