"""Conditioning: what a UNet is told of each picture beside noise and time: its text, and to SDXL its size too."""

from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor

from search_spaces.files.user_error import UserError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conditioning:
    """Text embeddings of n pictures and, for UNets of SDXL's kind, their added conditions.

    Attributes:
        embeddings: Read by cross-attentions.
        pooled: One embedding of the whole text; None where the UNet reads none.
        time_ids: Original height and width, top and left of the crop, target height and width, in pixels; None
            exactly where `pooled` is.
    """

    embeddings: Float[Tensor, "n tokens width"]
    pooled: Float[Tensor, "n pooled"] | None = None
    time_ids: Float[Tensor, "n 6"] | None = None

    def __post_init__(self) -> None:
        lengths = [len(part) for part in (self.embeddings, self.pooled, self.time_ids) if part is not None]
        if len(lengths) == 2 or len(set(lengths)) > 1:
            raise UserError(
                "a conditioning has embeddings, or embeddings, `pooled` and `time_ids` of equal length, but got "
                f"lengths {lengths}"
            )

    def __len__(self) -> int:
        return len(self.embeddings)

    def __getitem__(self, rows: slice | Int[Tensor, " rows"]) -> Self:
        """The conditioning of some pictures, in the order of `rows`."""
        return self._each(lambda part: part[rows])

    def expand(self, num: int, /) -> Self:
        """The conditioning of one picture for `num` pictures, sharing memory."""
        return self._each(lambda part: part.expand(num, *part.shape[1:]))

    def followed_by(self, other: Self, /) -> Self:
        """This conditioning's pictures, then the other's."""
        if (self.pooled is None) != (other.pooled is None):
            raise UserError("only conditionings of the same kind of UNet can be joined; encode both by one pipeline")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in ("embeddings", "pooled", "time_ids")}
        return type(self)(**{name: torch.cat(pair) for name, pair in pairs.items() if pair[0] is not None})

    def cropped(self, top_left_px: Int[Tensor, "n 2"], /) -> Self:
        """The same of pictures that were cut out of larger ones; a UNet that is told no sizes is not told."""
        if self.time_ids is None:
            return self
        time_ids = torch.cat([self.time_ids[:, :2], top_left_px.to(self.time_ids), self.time_ids[:, 4:]], dim=1)
        return replace(self, time_ids=time_ids)

    def to(self, device: torch.device | str, /) -> Self:
        """The same on a device."""
        return self._each(lambda part: part.to(device))

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of a diffusers UNet's forward."""
        if self.pooled is None:
            return {"encoder_hidden_states": self.embeddings}
        added = {"text_embeds": self.pooled, "time_ids": self.time_ids}
        return {"encoder_hidden_states": self.embeddings, "added_cond_kwargs": added}

    def _each(self, change: Any) -> Self:
        parts = {"embeddings": self.embeddings, "pooled": self.pooled, "time_ids": self.time_ids}
        return type(self)(**{name: change(part) for name, part in parts.items() if part is not None})
