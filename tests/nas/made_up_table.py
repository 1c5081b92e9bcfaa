"""A tabular benchmark of six blocks, by arithmetic: every loss, saving and count is known."""

import numpy as np

from nas.tabular.benchmark import Benchmark

NUM, PROMPTS = 6, 4


def made_up(*, interacts: float = 0.3) -> Benchmark:
    """Six blocks whose losses add up, but for two that may not both go."""
    rng = np.random.default_rng(0)
    losses, saved = rng.uniform(0.01, 0.1, NUM), rng.uniform(1.0, 3.0, NUM)
    masks = np.arange(2**NUM, dtype=np.int64)
    bits = (masks[:, None] >> np.arange(NUM) & 1).astype(float)
    means = 1 - bits @ losses - interacts * bits[:, 0] * bits[:, 3]
    scores = means[:, None] + np.array([-0.02, 0.01, 0.0, 0.01])
    alone = np.array([2**NUM, 2 ** (NUM + 1)], dtype=np.int64)  # single removals of the full space, on more prompts
    return Benchmark(
        name="made-up",
        model="none",
        protocol="none",
        score="clip",
        unit="cosine",
        higher_is_better=True,
        device="arithmetic",
        edits=tuple(f"block[{index}]" for index in range(NUM + 2)),
        num_searched=NUM,
        passes_per_prompt=8,
        seconds_per_pass=0.01,
        made_by="this test",
        masks=np.concatenate([masks, alone]),
        latency_ms=np.concatenate([20 - bits @ saved, [19.0, 19.5]]),
        num_params=np.concatenate([1000 - 100 * bits.sum(axis=1), [900, 900]]).astype(np.int64),
        num_macs=np.concatenate([2000 - 100 * bits.sum(axis=1), [900, 900]]).astype(np.int64),
        scores=(*(row.astype(np.float32).astype(np.float64) for row in scores), np.ones(9), np.ones(9)),
    )
