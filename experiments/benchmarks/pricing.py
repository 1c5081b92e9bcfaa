"""Pricing a million architectures of SD-1.5's space: looked up at once, against one prediction after another.

    python -m experiments.benchmarks.pricing

The table is made of arithmetic: how long a price takes does not depend on what it is. Prints CPU times and the largest
difference between the two ways.
"""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from latency import Device, LatencyTable, Method, Protocol, Runtime, TableRow, Workload
from latency.pricing import Pricing
from latency.subnetworks import random_architectures
from search_spaces import BlockSignature, UNetSpace, space_from_config
from search_spaces.known import SD15_CONFIG

NUM_GENES, NUM_PREDICTIONS, SEED = 1_000_000, 200, 0
FIXED_MS, MS_PER_GMAC = 0.1, 4.0

T = TypeVar("T")


def main() -> None:
    """Price, compare and print."""
    space = space_from_config(SD15_CONFIG)
    table = arithmetic_table(space)
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


def arithmetic_table(space: UNetSpace) -> LatencyTable:
    """A table in which a block costs what its multiply-accumulates say."""
    height, width = space.sample_size
    return LatencyTable(
        device=Device(name="arithmetic"),
        runtime=Runtime(name="none", version="0"),
        workload=Workload(
            base_model="sd-1.5",
            latent_height=height,
            latent_width=width,
            batch=1,
            dtype="float32",
            context_tokens=77,
            cross_attention_dim=768,
            temb_channels=space.temb_channels,
            attention_impl="none",
        ),
        protocol=Protocol(method=Method.MODELLED, clock="none", order="none", rounds=1),
        end_to_end=None,
        check=None,
        rows=tuple(_row(signature) for signature in space.reachable_signatures()),
    )


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What a function gives, and the seconds of CPU time that it takes."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def _row(signature: BlockSignature) -> TableRow:
    ms = FIXED_MS + MS_PER_GMAC * signature.num_macs / 1e9
    return TableRow(
        signature=signature,
        median_ms=ms,
        p10_ms=ms,
        p90_ms=ms,
        min_ms=ms,
        mean_ms=ms,
        std_ms=0.0,
        num_samples=1,
        source=Method.MODELLED,
    )


if __name__ == "__main__":
    main()
