"""Architecture: which blocks a UNet has, stage by stage; a value with a canonical JSON and an identity.

A position is a ResNet followed by its cross-attention; its two counts are the genes. Knows nothing of channels,
weights or costs: a `UNetSpace` does the first, a `Supernet` the second, a `LatencyTable` the third.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

from search_spaces.files.user_error import UserError

SCHEMA_VERSION: Final = 1


class ArchitectureError(UserError):
    """An architecture, or an action on it, that breaks a law; the message holds all that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One position of a stage.

    Attributes:
        resnets: 0 = skipped (its shortcut stays), 1 = as is, n = with n - 1 copies behind it.
        cross_attentions: Depth of the `Transformer2DModel`; 0 = the whole transformer is gone.
        source: Index of the position in the base model's stage that it came from, so that weights follow.
    """

    resnets: int
    cross_attentions: int
    source: int

    def __post_init__(self) -> None:
        for field in ("resnets", "cross_attentions", "source"):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ArchitectureError(
                    f"`{field}` of a position must be a whole number of at least 0, but got {value!r}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Positions at one resolution; `place` is diffusers' name in the base model: "down.0", "mid", "up.3"."""

    place: str
    positions: tuple[Position, ...]

    def __post_init__(self) -> None:
        side, _, index = self.place.partition(".")
        if not (self.place == "mid" or (side in ("down", "up") and index.isascii() and index.isdecimal())):
            raise ArchitectureError(f"`place` of a stage must be mid, down.<n> or up.<n>, but got {self.place!r}")
        sources = [position.source for position in self.positions]
        if sorted(set(sources)) != sources:
            raise ArchitectureError(
                f"positions of {self.place} must come from rising base positions, but got {sources}"
            )

    @property
    def num_resnets(self) -> int:
        """ResNets of the stage, copies included."""
        return sum(position.resnets for position in self.positions)

    @property
    def num_cross_attentions(self) -> int:
        """Cross-attention layers of the stage, copies included."""
        return sum(position.cross_attentions for position in self.positions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """All stages of a UNet, from the outermost down stage over mid to the outermost up stage."""

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        places = [stage.place for stage in self.stages]
        if len(set(places)) != len(places):
            raise ArchitectureError(f"every stage stands once in an architecture, but got {places}")
        if places != sorted(places, key=_forward_order):
            raise ArchitectureError(f"stages must stand in the order of the forward pass, but got {places}")

    @property
    def num_resnets(self) -> int:
        """ResNets of all stages, copies included."""
        return sum(stage.num_resnets for stage in self.stages)

    @property
    def num_cross_attentions(self) -> int:
        """Cross-attention layers of all stages, copies included."""
        return sum(stage.num_cross_attentions for stage in self.stages)

    @property
    def arch_id(self) -> str:
        """Digest of the canonical JSON: equal exactly for equal architectures, on any machine."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def stage(self, place: str, /) -> Stage:
        """The stage at a place.

        Raises:
            ArchitectureError: The architecture has no such stage.
        """
        for stage in self.stages:
            if stage.place == place:
                return stage
        raise ArchitectureError(f"there is no stage {place!r}; choose among {', '.join(s.place for s in self.stages)}")

    def position(self, place: str, source: int) -> Position:
        """The position of stage `place` that came from base position `source`."""
        positions = self.stage(place).positions
        for position in positions:
            if position.source == source:
                return position
        raise ArchitectureError(f"{place} has no position {source}; it has {[p.source for p in positions]}")

    def positions(self) -> Iterator[tuple[str, Position]]:
        """(place, position) in the order of the forward pass."""
        for stage in self.stages:
            for position in stage.positions:
                yield stage.place, position

    def with_position(self, place: str, position: Position, /) -> Self:
        """A new architecture in which `position` stands for the one of the same place and source."""
        self.position(place, position.source)
        positions = tuple(position if p.source == position.source else p for p in self.stage(place).positions)
        return self._with_positions(place, positions)

    def without_position(self, place: str, source: int, /) -> Self:
        """A new architecture without a position; a stage that loses its last one goes with it."""
        self.position(place, source)
        return self._with_positions(place, tuple(p for p in self.stage(place).positions if p.source != source))

    def with_new_position(self, place: str, source: int, /) -> Self:
        """A new architecture with an empty position, in a stage that may be new as well.

        Raises:
            ArchitectureError: The position is there already.
        """
        positions = next((stage.positions for stage in self.stages if stage.place == place), ())
        if any(position.source == source for position in positions):
            raise ArchitectureError(f"{place} has its position {source} already")
        new = Position(resnets=0, cross_attentions=0, source=source)
        return self._with_positions(place, tuple(sorted((*positions, new), key=lambda p: p.source)))

    def _with_positions(self, place: str, positions: tuple[Position, ...]) -> Self:
        others = [stage for stage in self.stages if stage.place != place]
        stages = [*others, Stage(place=place, positions=positions)] if positions else others
        return type(self)(stages=tuple(sorted(stages, key=lambda stage: _forward_order(stage.place))))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, ready for JSON; `from_dict` reads them back."""
        return {
            "schema_version": SCHEMA_VERSION,
            "stages": [
                {
                    "place": stage.place,
                    "positions": [
                        {"source": p.source, "resnets": p.resnets, "cross_attentions": p.cross_attentions}
                        for p in stage.positions
                    ],
                }
                for stage in self.stages
            ],
        }

    @classmethod
    def from_dict(cls, data: Any, /) -> Self:
        """Read what `to_dict` wrote; further keys of the top level are left alone.

        Raises:
            ArchitectureError: Not an architecture, or of another schema version.
        """
        if not isinstance(data, dict) or data.get("schema_version") != SCHEMA_VERSION:
            found = data.get("schema_version") if isinstance(data, dict) else type(data).__name__
            raise ArchitectureError(f"an architecture must have `schema_version` {SCHEMA_VERSION}, but got {found!r}")
        try:
            stages = tuple(
                Stage(place=stage["place"], positions=tuple(Position(**position) for position in stage["positions"]))
                for stage in data["stages"]
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ArchitectureError(
                f"`stages` must be a list of {{place, positions: [{{source, resnets, cross_attentions}}]}}: {error}"
            ) from error
        return cls(stages=stages)

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, /) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ArchitectureError: Not JSON, or not an architecture.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ArchitectureError(f"an architecture must be JSON: {error}") from error
        return cls.from_dict(data)


def _forward_order(place: str) -> tuple[int, int]:
    side, _, index = place.partition(".")
    return ("down", "mid", "up").index(side), int(index or 0)
