"""A run of a million scores: seconds and memory to open it, to read it in parts, and to write its report.

    python -m experiments.benchmarks.million_scores [FOLDER [CHUNK_SIZE]]

The run is made once in FOLDER, by default runs/benchmarks/million_scores (a minute or two), and measured by a process
of its own for each line, so that peak memory is that of the line alone. Its scores are numbers from a generator, of
NUM_ROUNDS rounds with NUM_ACTIONS actions on NUM_PROMPTS prompts; CHUNK_SIZE, 50 unless it is given, says how many
prompts a record of the store has.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nas.reports.page import write_report
from nas.runs.run import Run, open_run
from nas.scores.intervals import mean_interval
from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore, digest_of_prompts
from search_spaces.files.digests import digest_of
from search_spaces.known.architectures import sd15_space

NUM_ROUNDS, NUM_ACTIONS, NUM_PROMPTS = 13, 38, 2000  # and the reference: a million in all
QUESTIONS: dict[str, Callable[[Run], Any]] = {
    "open, rounds()": lambda run: run.rounds(),
    "evaluations()": lambda run: run.evaluations(),
    "decisions()": lambda run: run.decisions(),
    "scores(), whole": lambda run: run.scores(),
    "scores(columns=[arch_id, clip])": lambda run: run.scores(columns=["arch_id", "clip"]),
    "scores(rounds=[9])": lambda run: run.scores(rounds=[9]),
    "nas report": lambda run: [write_report(run, run.path / "report.html")],
    "scores(one architecture)": lambda run: run.scores(arch_ids=[run.rounds()["arch_id"].iloc[3]]),
}


def main() -> None:
    """Make the run where there is none, and measure; or answer one question, in a process of its own."""
    if sys.argv[1:2] == ["--answer"]:
        answer(Path(sys.argv[2]), sys.argv[3])
        return
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/benchmarks/million_scores")
    chunk_size = int(sys.argv[2]) if len(sys.argv) > 2 else 50
    run = folder / f"run-{chunk_size}"
    if not (run / "trace.jsonl").is_file():
        start = time.perf_counter()
        make(run, chunk_size=chunk_size)
        print(f"made {run} in {time.perf_counter() - start:.0f} s")
    files = [path for path in (run / "scores").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"records of {chunk_size} scores in {len(files):,} files, {size / 1e6:.0f} MB")
    for question in QUESTIONS:
        command = [sys.executable, "-m", __spec__.name, "--answer", str(run), question]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="")


def answer(run: Path, question: str) -> None:
    """Time one question in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    frame = QUESTIONS[question](open_run(run))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    memory = f"peak {peak / 1024:5.0f} MB, {before / 1024:.0f} at rest"
    print(f"{question:34} {len(frame):>9,} rows  {seconds:6.2f} s  {memory}")


def make(run: Path, /, *, chunk_size: int) -> None:
    """A run whose scores are noise around what a random loss says."""
    rng, space = np.random.default_rng(0), sd15_space()
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("{}\n", encoding="utf-8")
    store = ScoreStore.own(run / "scores")
    prompts = tuple(
        Prompt(caption=f"a photograph of thing number {i} on a table", noise_seed=i) for i in range(NUM_PROMPTS)
    )
    chunks = [prompts[at : at + chunk_size] for at in range(0, NUM_PROMPTS, chunk_size)]
    base, events = space.base, list[dict[str, Any]]()
    removals = [str(action) for action in space.removals(base)]
    assert len(removals) == NUM_ACTIONS
    events.append(
        {"event": "search_started", "target_latency_ms": 50.0, "base_latency_ms": 100.0, "base": base.to_dict()}
        | {"digests": {"protocol": "p" * 16}}
    )
    for number in range(NUM_ROUNDS):
        weights = digest_of({"round": number})
        events.append(
            {"event": "trained", "round": number, "iterations": 0, "recovering": False, "weights_digest": weights}
        )
        before = rng.normal(0.3, 0.05, NUM_PROMPTS)
        losses = [np.zeros(NUM_PROMPTS)] + [
            rng.normal(rng.uniform(0, 0.02), 0.02, NUM_PROMPTS) for _ in range(NUM_ACTIONS)
        ]
        for index, loss in enumerate(losses):
            arch_id, scores = digest_of({"round": number, "action": index}), before - loss
            for place, chunk in enumerate(chunks):
                key = ScoreKey(
                    weights_digest=weights,
                    arch_id=arch_id,
                    protocol_digest="p" * 16,
                    prompts_digest=digest_of_prompts(chunk),
                )
                own = scores[place * chunk_size : place * chunk_size + len(chunk)]
                store.put(key, prompts=chunk, scores=own.tolist())
            action = removals[index - 1] if index else None
            event: dict[str, Any] = {"event": "evaluation", "round": number, "action": action, "arch_id": arch_id}
            event["clip"] = _interval(scores)
            if index:
                ms = float(rng.uniform(0.5, 3))
                event |= {"d_clip": _interval(loss), "d_latency_ms": ms, "value": float(loss.mean()) / ms}
            else:
                event |= {"predicted_latency_ms": 100.0 - 3 * number, "num_params": 8 * 10**8}
                event["stages"] = base.to_dict()["stages"]
            events.append(event)
        ranked = sorted((e for e in events if e.get("action") and e["round"] == number), key=lambda e: e["value"])
        events.append(
            {"event": "decision", "round": number, "actions": [e["action"] for e in ranked[:5]], "stop": None}
        )
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (run / "trace.jsonl").write_text(lines, encoding="utf-8")


def _interval(values: Any) -> dict[str, Any]:
    found = mean_interval(values)
    return {
        "mean": found.mean, "low": found.low, "high": found.high, "num_prompts": found.num_prompts,
        "confidence": found.confidence,
    }  # fmt: skip


if __name__ == "__main__":
    main()
