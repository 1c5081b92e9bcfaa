"""How differently runtimes rank the same architectures: one space, several tables, random architectures priced by each.

    python -m experiments.benchmarks.runtime_rankings [MODEL PNG TABLE TABLE...]

Without arguments: SD-1.5 by the shipped tables of three runtimes.

Prints Kendall's tau of every pair of tables over NUM_ARCHITECTURES architectures, and which shares cross-attentions
and ResNets have in the base model's latency; draws the latencies, as shares of the base model's, against each other.
"""

import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from latency import LatencyTable, read_table
from latency.blocks.models import latency_model
from latency.blocks.subnetworks import random_architectures
from latency.pricing.lookup import Pricing
from latency.timing.estimator import kendall_tau
from nas.reports.style import BLUE, INK, PALE, new_figure, note, styled, tidy
from nas.reports.writing import write_figure
from search_spaces import BlockKind, space_from_config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_ARCHITECTURES, SEED, TICKS = 500, 0, (40, 60, 80, 100)
_RUNTIMES = ("onnxruntime", "openvino", "torch_eager")
DEFAULTS = ["sd-1.5", "runs/runtime_rankings.png", *(f"latency/tables/sd15_cpu_{name}.json" for name in _RUNTIMES)]


def main(model: Path, picture: Path, files: list[Path]) -> None:
    """Price, print, draw."""
    space = space_from_config(latency_model(model).config, max_copies=0)  # what every table covers
    tables = {file.stem: read_table(file) for file in files}
    architectures = random_architectures(space, num=NUM_ARCHITECTURES, seed=SEED)
    shares = {}
    for name, table in tables.items():
        pricing = Pricing(table, space=space)
        ms = pricing.milliseconds(pricing.genes([space.base, *architectures]))
        shares[name] = ms[1:] / ms[0]
        print(f"{name}: base {ms[0]:.2f} ms; " + ", ".join(_kinds(table)))
    pairs = list(combinations(shares, 2))
    for one, other in pairs:
        tau = kendall_tau(shares[one], shares[other])
        print(f"{one} and {other}: Kendall tau {tau:.3f} over {NUM_ARCHITECTURES} architectures")
    write_figure(drawn(shares, names={name: _runtime(table) for name, table in tables.items()}), picture)


@styled
def drawn(shares: Mapping[str, npt.NDArray[np.float64]], /, *, names: Mapping[str, str]) -> "Figure":
    """Every table's shares of the base model's latency against every other's."""
    pairs = list(combinations(shares, 2))
    ends = (100 * min(share.min() for share in shares.values()) - 4, 103)
    figure = new_figure(height=3.0, title="Do runtimes rank architectures alike? Latency by two tables each")
    for axes, (one, other) in zip(np.atleast_1d(figure.subplots(1, len(pairs))), pairs, strict=True):
        axes.scatter(100 * shares[one], 100 * shares[other], s=3, color=BLUE, linewidth=0, rasterized=True)
        axes.axline((50, 50), slope=1, color=INK, alpha=PALE, linewidth=0.8)
        axes.set(xlabel=f"{names[one]} (% of base)", ylabel=f"{names[other]} (% of base)", aspect="equal")
        axes.set(xlim=ends, ylim=ends, xticks=TICKS, yticks=TICKS)
        axes.set_title(f"Kendall's tau {kendall_tau(shares[one], shares[other]):.3f}", fontsize=8, weight="normal")
        tidy(axes, grid="y")
    note(
        figure,
        f"{NUM_ARCHITECTURES} random architectures of one space; grey: equal shares of each base model's latency.",
    )
    return figure


def _runtime(table: LatencyTable) -> str:
    """Its runtime as people write it."""
    return {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}.get(table.runtime.name, table.runtime.name)


def _kinds(table: LatencyTable) -> list[str]:
    """Share of each kind in the base model's latency."""
    total = sum(row.median_ms * len(row.sites) for row in table.rows)
    return [
        f"{kind} {sum(r.median_ms * len(r.sites) for r in table.rows if r.signature.kind is kind) / total:.0%}"
        for kind in (BlockKind.CROSS_ATTENTION, BlockKind.RESNET)
    ]


if __name__ == "__main__":
    model, picture, *files = sys.argv[1:] or DEFAULTS
    Path(picture).parent.mkdir(parents=True, exist_ok=True)
    main(Path(model), Path(picture), [Path(name) for name in files])
