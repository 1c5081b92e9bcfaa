"""The spec of a found architecture, `architecture.json`: the architecture and everything it was found by."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.algorithms.evolving import StopReason
from nas.durable import write_text
from nas.scores import Interval
from search_spaces.actions import AnyAction
from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.space_view import counts_by_paper_stage
from search_spaces.unet_space import UNetSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundArchitecture:
    """The result of a search.

    Attributes:
        architecture: What was found.
        round: The round that scored it, whose checkpoint holds its weights.
        stop: Why the search ended.
        target_met: Whether it meets the target.
        actions: A- and A+ from the base to it, in order.
        base_latency_ms: Predicted for the base model.
        predicted_latency_ms: Predicted for it.
        target_latency_ms: The objective S.
        base_clip: CLIP score of the base model in the first round.
        clip: CLIP score of it.
        digests: Content of all that it came from.
    """

    architecture: Architecture
    round: int
    stop: StopReason
    target_met: bool
    actions: tuple[AnyAction, ...]
    base_latency_ms: float
    predicted_latency_ms: float
    target_latency_ms: float
    base_clip: Interval
    clip: Interval
    digests: Mapping[str, str]


def spec_of(found: FoundArchitecture, /, *, space: UNetSpace, model: Path) -> dict[str, Any]:
    """The spec as plain values; `Architecture.from_dict` reads the architecture out of it."""
    architecture = found.architecture
    return {
        **architecture.to_dict(),
        "arch_id": architecture.arch_id,
        "base": {
            "model": model.name,
            "arch_id": space.base.arch_id,
            "num_params": space.num_params(space.base),
            "counts": counts_by_paper_stage(space, space.base),
        },
        "counts": counts_by_paper_stage(space, architecture),
        "actions": [str(action) for action in found.actions],
        "stop": str(found.stop),
        "target_met": found.target_met,
        "target_latency_ms": found.target_latency_ms,
        "base_latency_ms": found.base_latency_ms,
        "predicted_latency_ms": found.predicted_latency_ms,
        "base_clip": found.base_clip.mean,
        "base_clip_interval": [found.base_clip.low, found.base_clip.high],
        "clip": found.clip.mean,
        "clip_interval": [found.clip.low, found.clip.high],
        "score": {"found": asdict(found.clip), "base": asdict(found.base_clip)},
        "num_params": space.num_params(architecture),
        "num_macs": space.num_macs(architecture),
        "round": found.round,
        "digests": dict(found.digests),
    }


def write_spec(path: Path, found: FoundArchitecture, /, *, space: UNetSpace, model: Path) -> None:
    """Write `architecture.json`, whole or not at all.

    Raises:
        StorageError: The disk refuses.
    """
    write_text(path, json.dumps(spec_of(found, space=space, model=model), indent=2) + "\n")


def read_spec(path: Path, /) -> tuple[Architecture, dict[str, Any]]:
    """The architecture of a spec, and the whole of it.

    Raises:
        ValueError: The file is missing or not a spec.
    """
    if not path.is_file():
        raise ValueError(f"there is no spec {path}; a finished search writes it, `nas status` tells how far a run is")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Architecture.from_dict(data), data
    except (json.JSONDecodeError, ArchitectureError) as error:
        raise ValueError(f"{path} is not a spec: {error}") from error
