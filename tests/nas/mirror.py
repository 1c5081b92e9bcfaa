"""A finished run by a score of which less is better: every score with the other sign, and losses as they were."""

import json
import shutil
from pathlib import Path

from nas.runs.events import STARTS


def mirrored(run: Path, out: Path, /) -> Path:
    """A copy of a run by the mirror of its score."""
    shutil.copytree(run, out)
    events = [json.loads(line) for line in (out / "trace.jsonl").read_text(encoding="utf-8").splitlines()]
    for event in events:
        if event["event"] in STARTS:
            event["score"] = {"name": "other", "unit": "", "higher_is_better": False}
        if clip := event.get("clip"):
            clip |= {"mean": -clip["mean"], "low": -clip["high"], "high": -clip["low"]}
    (out / "trace.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    spec = json.loads((out / "architecture.json").read_bytes())
    (out / "architecture.json").write_text(json.dumps(spec | {"clip": -spec["clip"]}), encoding="utf-8")
    return out
