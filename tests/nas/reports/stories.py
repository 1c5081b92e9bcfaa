"""Runs that nobody searched: events, scores and pictures of a made-up search over Stable Diffusion's blocks."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore, digest_of_prompts
from search_spaces import Action, Architecture, BlockKind, Sign
from search_spaces.known.architectures import sd15_space

SPACE = sd15_space()
CAPTIONS = (
    "a red ring",
    "<script>alert(1)</script> & $x_1$",
    "[bold]a blue cross[/bold]",
    "a \x1b[31mgreen\x00 square",
)
PROMPTS = tuple(Prompt(caption=caption, noise_seed=seed) for seed, caption in enumerate(CAPTIONS))
NUM_ACTIONS = 6
BASE_MS, TARGET_MS, SAVED_MS = 100.0, 80.0, 5.0


def removals(architecture: Architecture, num: int, /) -> list[Action]:
    """A few of those that can be executed, of both kinds and every part of the UNet."""
    every = [a for a in SPACE.removals(architecture) if isinstance(a, Action) and a.sign is Sign.REMOVE]
    return every[:: max(1, len(every) // num)][:num]


def interval(mean: float, spread: float) -> dict[str, Any]:
    return {
        "mean": mean,
        "low": mean - spread,
        "high": mean + spread,
        "num_prompts": len(PROMPTS),
        "confidence": 0.95,
    }


def story(
    num_rounds: int = 2, *, num_actions: int = NUM_ACTIONS, score: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Events of a finished search: in each round the two cheapest actions go, and in the last one nothing."""
    rng, architecture, ms = np.random.default_rng(0), SPACE.base, BASE_MS
    started = {"target_latency_ms": TARGET_MS, "base_latency_ms": BASE_MS, "base": SPACE.base.to_dict()}
    named = {"score": score} if score else {}
    events: list[dict[str, Any]] = [{"event": "search_started", **started, "digests": {"protocol": "p0"}, **named}]
    for number in range(num_rounds + 1):
        last = number == num_rounds
        losses = {"losses": [0.1 / (1 + step) for step in range(5)], "time": 100.0 * number, "seconds": 1.0}
        trained = {"event": "trained", "round": number, "iterations": 5, "recovering": last}
        events.append({**trained, "weights_digest": f"w{number}", "runtime": losses})
        own = {"event": "evaluation", "round": number, "action": None, "arch_id": architecture.arch_id}
        costs = {"predicted_latency_ms": ms, "num_params": SPACE.num_params(architecture)}
        stages = architecture.to_dict()["stages"]
        events.append({**own, "clip": interval(0.9, 0.02), **costs, "stages": stages})
        scored: list[tuple[float, Action]] = []
        for action in [] if last else removals(architecture, num_actions):
            loss, saved = float(rng.normal(0.01, 0.02)), SAVED_MS if action.kind is BlockKind.RESNET else 2 * SAVED_MS
            arch_id = action.apply(architecture).arch_id
            numbers = {"d_clip": interval(loss, 0.015), "d_latency_ms": saved, "value": loss / saved}
            events.append(
                own | {"action": str(action), "arch_id": arch_id, "clip": interval(0.9 - loss, 0.02), **numbers}
            )
            scored.append((loss / saved, action))
        chosen = [action for _, action in sorted(scored)[:2]]
        if not last:
            pictures = {"num_pictures": 20, "num_pictures_exhaustive": len(PROMPTS) * (1 + len(scored))}
            events.append(
                {"event": "race", "round": number, "chosen": [str(a) for a in chosen], "ties": [], **pictures}
            )
        actions = [str(action) for action in chosen]
        events.append({"event": "decision", "round": number, "actions": actions, "stop": "converged" if last else None})
        for action in chosen:
            architecture, ms = action.apply(architecture), ms - (SAVED_MS if action.kind is BlockKind.RESNET else 10.0)
    found = {"round": num_rounds, "arch_id": architecture.arch_id, "stop": "converged", "target_met": True}
    return [*events, {"event": "search_finished", **found}]


def written(folder: Path, events: list[dict[str, Any]], /) -> Path:
    """A run directory in which this happened so far."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text("latency_table: gone.json\n", encoding="utf-8")
    (folder / "trace.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    return folder


def keep_scores(folder: Path, events: list[dict[str, Any]], /) -> None:
    """Scores per prompt of all that was scored, and small pictures of the rounds' own architectures."""
    store, rng = ScoreStore(folder / "scores"), np.random.default_rng(1)
    for event in events:
        if event["event"] == "evaluation":
            key = ScoreKey(
                weights_digest=f"w{event['round']}",
                arch_id=event["arch_id"],
                protocol_digest="p0",
                prompts_digest=digest_of_prompts(PROMPTS),
            )
            scores = [event["clip"]["mean"] + float(shift) for shift in rng.normal(0, 0.01, len(PROMPTS))]
            shape = (len(PROMPTS), 8, 8, 3)
            pictures = rng.integers(0, 255, shape, dtype=np.uint8) if event["action"] is None else None
            store.put(key, prompts=PROMPTS, scores=scores, pictures=pictures)
