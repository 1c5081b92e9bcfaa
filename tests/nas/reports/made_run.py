"""A run directory as a search over SD-1.5's space leaves it, but nothing is trained and scores are drawn."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from nas.scores.intervals import losses, mean_interval, paired_loss
from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore, digest_of_prompts
from search_spaces.actions import parse_action
from search_spaces.architecture import Architecture
from search_spaces.known.architectures import sd15_space

CAPTIONS = ("a red ring", "a blue cross", "a green square", "a yellow circle")
SCRIPT = "</script><script>window.attacked = 1</script><img src=x onerror='window.attacked = 2'> & \"quoted\""
# What is lost by each action (mean), what it saves (ms): the cheapest first, so that the first two go in each round.
ACTIONS: Mapping[str, tuple[float, float]] = {
    "-resnet[mid,0]": (0.001, 2.0),
    "-cross_attention[down.0,0]": (0.002, 2.0),
    "-resnet[down.0,1]": (0.010, 2.0),
    "-cross_attention[up.1,1]": (0.020, 2.5),
    "-resnet[up.2,0]": (0.030, 1.5),
    "-cross_attention[up.3,0]": (0.080, 2.0),
}
BASE_MS, PER_ROUND = 40.0, 2


@dataclass(frozen=True, kw_only=True)
class MadeRun:
    """Where it is, and the events that it holds."""

    path: Path
    events: Sequence[Mapping[str, Any]]


def make_run(
    path: Path,
    /,
    *,
    captions: Sequence[str] = CAPTIONS,
    num_rounds: int = 3,
    is_finished: bool = True,
    target_ms: float = 33.0,
    has_pictures: bool = True,
    score: str = "clip",
    higher_is_better: bool = True,
) -> MadeRun:
    """Write a run in which every round but the last scores what is left of `ACTIONS` and executes two of them."""
    rng, space = np.random.default_rng(0), sd15_space()
    prompts = tuple(Prompt(caption=caption, noise_seed=seed) for seed, caption in enumerate(captions))
    ease = rng.uniform(-0.02, 0.02, len(prompts))
    path.mkdir(parents=True)
    config = {"model": "a-model", "seed": 0, "validation": {"num_prompts": len(prompts), "confidence": 0.95}}
    (path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    store = ScoreStore.own(path / "scores")
    named = {} if score == "clip" else {"score": {"name": score, "higher_is_better": higher_is_better, "unit": "1"}}
    events: list[dict[str, Any]] = [
        {"event": "search_started", "target_latency_ms": target_ms, "base_latency_ms": BASE_MS}
        | {"base": space.base.to_dict(), "digests": {"protocol": "p0", "config": "c0"}, **named}
    ]
    architecture, level, ms, left, sign = space.base, 0.9, BASE_MS, dict(ACTIONS), 1 if higher_is_better else -1

    def scored(weights: str, arch: Architecture, mean: float, number: int) -> list[float]:
        scores = [float(each) for each in mean + ease + rng.normal(0, 0.002, len(prompts))]
        pictures = np.full((len(prompts), 16, 16, 3), 40 + 20 * number, np.uint8) if has_pictures else None
        key = ScoreKey(
            weights_digest=weights,
            arch_id=arch.arch_id,
            protocol_digest="p0",
            prompts_digest=digest_of_prompts(prompts),
        )
        store.put(key, prompts=prompts, scores=scores, pictures=pictures, score=score)
        return scores

    for number in range(num_rounds):
        weights, is_last = f"w{number}", number == num_rounds - 1
        events.append({"event": "trained", "round": number, "iterations": 20, "recovering": is_last})
        events[-1] |= {"weights_digest": weights, "runtime": {"time": 1.0e9 + 60 * number, "seconds": 10.0}}
        own = scored(weights, architecture, level, number)
        events.append(
            {"event": "evaluation", "round": number, "action": None, "arch_id": architecture.arch_id}
            | {"clip": asdict(mean_interval(own)), "predicted_latency_ms": ms}
            | {"num_params": space.num_params(architecture), "stages": architecture.to_dict()["stages"]}
            | {"runtime": {"time": 1.0e9 + 60 * number + 10, "seconds": 5.0}}
        )
        if is_last:
            break
        for action, (loss, saved) in left.items():
            after = parse_action(action).apply(architecture)
            theirs = scored(weights, after, level - sign * loss, number)
            lost = paired_loss(own, theirs, higher_is_better=higher_is_better)
            assert len(losses(own, theirs)) == len(prompts)
            events.append(
                {"event": "evaluation", "round": number, "action": action, "arch_id": after.arch_id}
                | {"clip": asdict(mean_interval(theirs)), "d_clip": asdict(lost)}
                | {"d_latency_ms": saved, "value": lost.mean / saved, "runtime": {"time": 1.0e9}}
            )
        taken = list(left)[:PER_ROUND]
        events.append({"event": "decision", "round": number, "actions": taken, "stop": None, "runtime": {}})
        for action in taken:
            loss, saved = left.pop(action)
            architecture, level, ms = parse_action(action).apply(architecture), level - sign * loss, ms - saved
    if is_finished:
        end = {"stop": "converged", "round": num_rounds - 1}
        events.append({"event": "decision", "actions": [], **end, "runtime": {}})
        events.append({"event": "search_finished", "arch_id": architecture.arch_id, **end})
        events[-1] |= {"target_met": ms <= target_ms, "runtime": {"time": 1.0e9 + 600}}
        spec = architecture.to_dict() | {"name": "a-model_lat", "digests": {"weights": "w2"}}
        spec |= {"base": {"model": "a-model", "num_params": space.num_params(space.base)}}
        (path / "architecture.json").write_text(json.dumps(spec), encoding="utf-8")
    write_trace(path, events)
    priced = {"name": "mid_block.resnets.0", "stage": "mid", "position": 0, "kind": "resnet", "num_params": 1000}
    breakdown = {"arch_id": space.base.arch_id, "predicted_latency_ms": BASE_MS, "blocks": [priced | {"ms": 2.5}]}
    (path / "breakdown.jsonl").write_text(json.dumps(breakdown) + "\n", encoding="utf-8")
    return MadeRun(path=path, events=events)


def write_trace(path: Path, events: Sequence[Mapping[str, Any]], /, *, torn: str = "") -> None:
    """Write the trace of a run, with a torn last line if one is given."""
    lines = "".join(json.dumps(event) + "\n" for event in events)
    (path / "trace.jsonl").write_text(lines + torn, encoding="utf-8")
