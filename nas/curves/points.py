"""Points of curves: the numbers of one model by one protocol, and tables of them."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from nas.metrics.estimate import CONFIDENCE, Estimate
from nas.pipelines.protocol import SamplingProtocol
from search_spaces.files.durable.writing import whole, write_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One way to draw, and what came of it.

    Attributes:
        model: Its name.
        protocol: How pictures were made.
        num_passes: UNet passes of a picture.
        is_baseline: Whether it was drawn for comparison only.
        numbers: By the names of their columns: the score first, then distances.
    """

    model: str
    protocol: SamplingProtocol
    num_passes: int
    is_baseline: bool
    numbers: Mapping[str, Estimate]

    @property
    def curve(self) -> tuple[str, str, int]:
        """What stays the same along a curve: model, scheduler, steps; guidance runs."""
        return self.model, self.protocol.scheduler, self.protocol.num_steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """What an evaluation found.

    Attributes:
        points: In the order that was asked for.
        score: Name of the score.
        higher_is_better: Of the score.
        features: Name of the distances' features; "" = none.
        left_out: Why some distances are not there, a sentence each.
    """

    points: tuple[Point, ...]
    score: str
    higher_is_better: bool
    features: str
    left_out: tuple[str, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the distances."""
        return tuple(name for name in self.points[0].numbers if name != self.score) if self.points else ()

    @property
    def num_pictures(self) -> tuple[int, int]:
        """Generated pictures a point, and real ones."""
        every = [number for point in self.points for number in point.numbers.values()]
        return max(number.num_made for number in every), max(number.num_real for number in every)

    def told(self) -> str:
        """How sure the numbers are, in a sentence."""
        num_made, num_real = self.num_pictures
        real = f", distances to {num_real:,} real ones by features of {self.features}" if num_real else ""
        return (
            f"{num_made:,} pictures a row{real}; {CONFIDENCE:.0%} intervals by a jackknife over groups of pictures; "
            "compare numbers of equal numbers of pictures and equal features only"
        )

    def rows(self) -> list[dict[str, Any]]:
        """Plain values, a row per point."""
        rows = []
        for point in self.points:
            row: dict[str, Any] = {
                "model": point.model,
                "scheduler": point.protocol.scheduler,
                "steps": point.protocol.num_steps,
                "guidance": point.protocol.guidance_scale,
                "unet_passes": point.num_passes,
                "baseline": point.is_baseline,
            }
            for name, number in point.numbers.items():
                finite = math.isfinite(number.low)
                row |= {name: number.value, f"{name}_low": number.low if finite else None,
                        f"{name}_high": number.high if finite else None}  # fmt: skip
            num_made, num_real = self.num_pictures
            rows.append(row | {"features": self.features, "num_pictures": num_made, "num_real": num_real})
        return rows

    def frame(self) -> pd.DataFrame:
        """The same for notebooks."""
        return pd.DataFrame(self.rows())

    def json(self) -> dict[str, Any]:
        """The same with what is said of them."""
        return {
            "score": self.score,
            "higher_is_better": self.higher_is_better,
            "features": self.features,
            "confidence": CONFIDENCE,
            "left_out": list(self.left_out),
            "points": self.rows(),
        }

    def write(self, folder: Path, /) -> tuple[Path, ...]:
        """Write curves.json, curves.csv and curves.parquet into a folder.

        Raises:
            StorageError: The disk refuses.
        """
        frame, paths = self.frame(), table_paths(folder)
        write_text(paths[0], json.dumps(self.json(), indent=2) + "\n")
        with whole(paths[1]) as part:
            frame.to_csv(part, index=False)
        with whole(paths[2]) as part:
            frame.to_parquet(part, index=False)
        return paths


def table_paths(folder: Path, /) -> tuple[Path, ...]:
    """The tables of an evaluation, of which the first is the JSON."""
    return tuple(folder / f"curves.{end}" for end in ("json", "csv", "parquet"))
