"""Pricing a million architectures of SD-1.5's space: looked up at once, against one prediction after another.

    python -m experiments.benchmarks.pricing

Prices are those of the shipped table in torch eager. Prints CPU times and the largest difference between the two ways.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

import latency
from latency import read_table
from latency.blocks.subnetworks import random_architectures
from latency.pricing.lookup import Pricing
from search_spaces import space_from_config
from search_spaces.known.architectures import SD15_CONFIG

NUM_GENES, NUM_PREDICTIONS, SEED = 1_000_000, 200, 0
TABLE = Path(latency.__file__).parent / "tables" / "sd15_cpu_torch_eager.json"

T = TypeVar("T")


def main() -> None:
    """Price, compare and print."""
    table = read_table(TABLE)
    space = space_from_config(SD15_CONFIG, max_copies=1)  # what the table covers
    pricing, seconds = timed(lambda: Pricing(table, space=space))
    print(f"prices of the space looked up in {seconds:.2f} s")
    rng = np.random.default_rng(SEED)
    base = pricing.genes([space.base])
    genes = rng.integers(0, 2, size=(NUM_GENES, base.shape[1]), dtype=np.int8) * base.astype(np.int8)
    ms, seconds = timed(lambda: pricing.milliseconds(genes))
    print(f"{NUM_GENES:,} architectures priced in {seconds:.2f} s: {ms.min():.1f} .. {ms.max():.1f} ms")
    architectures = random_architectures(space, num=NUM_PREDICTIONS, seed=SEED)
    one_by_one, seconds = timed(lambda: [table.predict(space.sites(each)).total_ms for each in architectures])
    print(f"{NUM_PREDICTIONS} predicted one by one in {seconds:.2f} s")
    difference = np.abs(pricing.milliseconds(pricing.genes(architectures)) - one_by_one).max()
    print(f"largest difference of the two: {difference:.1e} ms")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What a function gives, and the seconds of CPU time that it takes."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


if __name__ == "__main__":
    main()
