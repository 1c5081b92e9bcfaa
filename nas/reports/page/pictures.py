"""A run's pictures for a page: small, each once, and found again by round, action and prompt."""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd
from PIL import Image

from nas.reports.page.values import Picture, Shown

MAX_SIDE: Final = 192  # pixels of a picture in the page
MAX_PROMPTS: Final = 8  # of each round
QUALITY: Final = 88
_DAMAGED: Final = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow says of such files


class Album:
    """The pictures of a run by (round, action); `taken` holds those that were asked for, each once.

    Args:
        frame: `Run.pictures`.
    """

    def __init__(self, frame: pd.DataFrame, /) -> None:
        self.taken: dict[str, Picture] = {}
        self.num_damaged = 0
        self._damaged: set[str] = set()
        self._png: dict[tuple[int, str], dict[str, bytes]] = {}
        self._captions: dict[str, str] = {}
        for row in frame.to_dict(orient="records"):
            action = row["action"] if isinstance(row["action"], str) else ""
            self._png.setdefault((int(row["round"]), action), {})[str(row["prompt_id"])] = row["png"]
            self._captions.setdefault(str(row["prompt_id"]), str(row["caption"]))

    def rounds_of(self, actions: Sequence[str], /) -> Sequence[tuple[int, str]]:
        """Where there are pictures of any of these actions, the last round first."""
        return sorted(((number, action) for number, action in self._png if action in actions), reverse=True)

    def prompts(self, number: int, /, *, action: str = "") -> tuple[str, ...]:
        """Ids of the prompts that were drawn there."""
        return tuple(self._png.get((number, action), {}))[:MAX_PROMPTS]

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
                self.taken[key] = encoded(png, key=key)
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


def encoded(png: bytes, /, *, key: str) -> Picture:
    """A picture as WebP, at most `MAX_SIDE` a side.

    Raises:
        OSError: It is damaged, as Pillow says it.
    """
    image = Image.open(io.BytesIO(png), formats=["PNG"]).convert("RGB")
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY, method=4)
    uri = "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
    return Picture(key=key, uri=uri, width=image.width, height=image.height)


def by_key(pictures: Sequence[Picture], /) -> Mapping[str, Picture]:
    """The same by their key."""
    return {picture.key: picture for picture in pictures}
