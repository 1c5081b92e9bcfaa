"""A search on Ray whose workers and driver are killed at random ends like an undisturbed one in one process.

`make chaos` does the same at length.
"""

import random
import sys
from pathlib import Path

import pytest

from experiments.chaos import disturb, fingerprint
from tests.nas.searching import same_records, same_result, search
from tests.nas.spread import spread


def command(experiment: Path, out: Path, *, num_workers: int) -> list[str]:
    workers = ["--num-workers", str(num_workers), "workers.cpus_per_worker=0.5"]
    return [
        sys.executable,
        "-c",
        "from nas.cli import main; main()",
        "search",
        str(experiment),
        "--out",
        str(out),
        *workers,
    ]


@pytest.mark.parametrize(("seed", "max_kills"), [(1, 1), pytest.param(2, 3, marks=pytest.mark.slow)])
def test_a_disturbed_search_ends_like_an_undisturbed_one(
    run: Path, experiment: Path, tmp_path: Path, seed: int, max_kills: int
) -> None:
    victims = disturb(
        command(experiment, tmp_path / "run", num_workers=2), random.Random(seed), patience_s=25, max_kills=max_kills
    )
    assert victims.total() <= max_kills
    assert fingerprint(tmp_path / "run") == fingerprint(run)


def test_three_workers_find_what_one_does(
    run: Path, experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Ray, whose workers take ten seconds each to start."""
    spread(monkeypatch)
    search(experiment, tmp_path / "run", num_workers=3)
    same_result(run, tmp_path / "run")
    same_records(run, tmp_path / "run")
    assert fingerprint(tmp_path / "run") == fingerprint(run)
