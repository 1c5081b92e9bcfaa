"""How well a latency table repeats: the bundled model's, measured three times by the shipped protocol.

    python -m experiments.benchmarks.latency_repeatability [BACKEND]

Prints the coefficient of variation per row (standard deviation over mean of the three medians): its median, 90th
percentile and worst, for milliseconds and for shares of the table's own total, which a change of the machine's pace
between two tables leaves alone.
"""

import sys
from pathlib import Path

import numpy as np

from latency.backends.registry import BackendName, make_backend
from latency.blocks.models import Attention, latency_model
from latency.measuring.measure import measure_table
from latency.pricing.scenario import Dtype
from latency.timing.interleaving import MeasureSettings
from search_spaces.shapes import PIPELINE_DIR

NUM_TABLES, NUM_ROUNDS = 3, 30


def main(backend: BackendName) -> None:
    """Measure and print."""
    model = latency_model(PIPELINE_DIR)
    medians = []
    for number in range(NUM_TABLES):
        runtime = make_backend(backend, threads=1, provider=None, cache=Path("runs/benchmarks/exports"))
        supernet = model.supernet(max_copies=0, attention=Attention.SDPA, dtype=Dtype.FLOAT32, device="cpu")
        table = measure_table(
            supernet,
            backend=runtime,
            base_model="shapes",
            device_name="this machine",
            context_tokens=model.context_tokens,
            settings=MeasureSettings(min_rounds=NUM_ROUNDS, max_rounds=NUM_ROUNDS, seed=number),
        )
        medians.append([row.median_ms for row in table.rows if row.signature.kind != "rest"])
        assert table.end_to_end is not None
        print(f"table {number}: {table.end_to_end.median_ms:.2f} ms end to end, sum {table.base_ms:.2f} ms", flush=True)
    values = np.asarray(medians)
    for name, array in (("milliseconds", values), ("shares", values / values.sum(axis=1, keepdims=True))):
        cv = array.std(axis=0, ddof=1) / array.mean(axis=0)
        print(
            f"{name:13} CV per row: median {np.median(cv):.1%}, 90th percentile {np.quantile(cv, 0.9):.1%}, "
            f"worst {cv.max():.1%}"
        )


if __name__ == "__main__":
    main(BackendName(sys.argv[1]) if len(sys.argv) > 1 else BackendName.TORCH_EAGER)
