"""How differently runtimes rank the same architectures: one space, several tables, random architectures priced by each.

    python -m experiments.benchmarks.runtime_rankings [MODEL PNG TABLE TABLE...]

Without arguments: SD-1.5 by the shipped tables of three runtimes.

Prints Kendall's tau of every pair of tables over NUM_ARCHITECTURES architectures, and which shares cross-attentions
and ResNets have in the base model's latency; draws the latencies, as shares of the base model's, against each other.
"""

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from latency import LatencyTable, read_table
from latency.blocks.models import latency_model
from latency.blocks.subnetworks import random_architectures
from latency.pricing.lookup import Pricing
from latency.timing.estimator import kendall_tau
from search_spaces import BlockKind, space_from_config

NUM_ARCHITECTURES, SEED = 500, 0
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
    figure = Figure(figsize=(4.5 * len(pairs), 4.5), layout="constrained")
    for axes, (one, other) in zip(np.atleast_1d(figure.subplots(1, len(pairs))), pairs, strict=True):
        tau = kendall_tau(shares[one], shares[other])
        print(f"{one} and {other}: Kendall tau {tau:.3f} over {NUM_ARCHITECTURES} architectures")
        axes.scatter(shares[one], shares[other], s=6, color="#30638e")
        axes.axline((0.5, 0.5), slope=1, color="#b8b8b8", linewidth=1)
        axes.set(xlabel=f"{one}, share of base", ylabel=f"{other}, share of base", title=f"Kendall tau {tau:.3f}")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=120)


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
