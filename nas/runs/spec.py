"""The spec of a found architecture, `architecture.json`: the architecture and everything it was found by."""

import json
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from nas.algorithms.steps import StopReason
from nas.pipelines.model_folder import ModelFolder
from nas.scores.held_out import HeldOutScores
from nas.scores.intervals import Interval
from search_spaces.actions import AnyAction
from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.difference import actions_between
from search_spaces.files.durable.writing import write_text
from search_spaces.files.paths import no_such_file
from search_spaces.files.strict_json import JsonError, parse_json
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import read_context_tokens
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS
from search_spaces.unets.space import UNetSpace
from search_spaces.unets.view import counts_by_paper_stage

SPEC_NAME: Final = "architecture.json"  # in runs and exports


class SpecError(UserError):
    """A file that is no spec, or a spec of another base model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundArchitecture:
    """The result of a search.

    Attributes:
        architecture: What was found.
        round: The round whose checkpoint holds its weights.
        job: Index of the training among those of its round.
        scored_by: Name, unit and direction of the score that `clip` and `base_clip` are; None = CLIP's.
        stop: Why the search ended.
        target_met: Whether it meets the target.
        actions: A- and A+ from the start to it, in order.
        base_latency_ms: Predicted for the base model.
        predicted_latency_ms: Predicted for it.
        target_latency_ms: The objective S.
        base_clip: CLIP score of the start, mostly the base model, in the first round.
        clip: CLIP score of it.
        digests: Content of all that it came from.
        scenario: Model and device, for its name: "shapes_cpu".
        start: Where the search started; None = at the base model.
        truth: Scores on captions that no decision saw; None where none were held out.
        limits: The most of what else was limited, by its name, and the worst allowed "score".
        missed_by: By how much it misses which limit; empty where all are kept.
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
    scenario: str = "unet"
    job: int = 0
    scored_by: Mapping[str, Any] | None = None
    start: Architecture | None = None
    truth: HeldOutScores | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    missed_by: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Such as "shapes_cpu_lat@12.3ms_clip@0.84"."""
        score = "clip" if self.scored_by is None else self.scored_by["name"]
        return f"{self.scenario}_lat@{self.predicted_latency_ms:.1f}ms_{score}@{self.clip.mean:.2f}"


def describe(
    architecture: Architecture, /, *, space: UNetSpace, model: str, context_tokens: int = DEFAULT_CONTEXT_TOKENS
) -> dict[str, Any]:
    """What every spec holds: the architecture, the base model that it is one of, blocks and costs.

    Args:
        architecture: An architecture of the space.
        space: The base model's.
        model: The base model's name.
        context_tokens: Text tokens that it reads, which MACs depend on.
    """
    return {
        **architecture.to_dict(),
        "arch_id": architecture.arch_id,
        "base": {
            "model": model,
            "arch_id": space.base.arch_id,
            "num_params": space.num_params(space.base),
            "counts": counts_by_paper_stage(space, space.base),
        },
        "counts": counts_by_paper_stage(space, architecture),
        "actions": [str(action) for action in actions_between(space.base, architecture, space=space)],
        "num_params": space.num_params(architecture),
        "num_macs": space.num_macs(architecture, context_tokens=context_tokens),
        "context_tokens": context_tokens,
    }


def spec_of(found: FoundArchitecture, /, *, space: UNetSpace, model: ModelFolder) -> dict[str, Any]:
    """The spec as plain values; `Architecture.from_dict` reads the architecture out of it."""
    tokens = read_context_tokens(model.path) or DEFAULT_CONTEXT_TOKENS
    return describe(found.architecture, space=space, model=model.name, context_tokens=tokens) | {
        "name": found.name,
        "actions": [str(action) for action in found.actions],
        **({} if found.start is None else {"start": found.start.to_dict()}),
        **({} if found.scored_by is None else {"scored_by": dict(found.scored_by)}),
        "stop": str(found.stop),
        "target_met": found.target_met,
        "target_latency_ms": found.target_latency_ms,
        **({"limits": dict(found.limits), "missed_by": dict(found.missed_by)} if found.limits else {}),
        "base_latency_ms": found.base_latency_ms,
        "predicted_latency_ms": found.predicted_latency_ms,
        "base_clip": found.base_clip.mean,
        "base_clip_interval": [found.base_clip.low, found.base_clip.high],
        "clip": found.clip.mean,
        "clip_interval": [found.clip.low, found.clip.high],
        "score": {"found": asdict(found.clip), "base": asdict(found.base_clip)},
        **({} if found.truth is None else {"held_out": asdict(found.truth)}),
        "round": found.round,
        **({"job": found.job} if found.job else {}),
        "digests": dict(found.digests),
    }


def write_spec(path: Path, found: FoundArchitecture, /, *, space: UNetSpace, model: ModelFolder) -> None:
    """Write `architecture.json`, whole or not at all.

    Raises:
        StorageError: The disk refuses.
    """
    write_text(path, json.dumps(spec_of(found, space=space, model=model), indent=2) + "\n")


def check_base(spec: Mapping[str, Any], /, *, space: UNetSpace, name: str, path: Path) -> None:
    """Check that a spec is about a base model.

    Args:
        spec: The whole of it.
        space: Space of the base model.
        name: The base model's, for the message.
        path: The spec's, for the message.

    Raises:
        SpecError: It is about another one; specs without a base are taken as they are.
    """
    own = {"arch_id": space.base.arch_id, "num_params": space.num_params(space.base)}
    theirs = spec.get("base") or {}
    if not isinstance(theirs, Mapping):
        raise SpecError(
            f"`base` in {path} must be an object with `model`, `arch_id` and `num_params`, but is {theirs!r}"
        )
    if wrong := [f"`{key}` {theirs[key]}, there {mine}" for key, mine in own.items() if theirs.get(key, mine) != mine]:
        raise SpecError(
            f"{path} must be about the base model {name}, but is about {theirs.get('model', 'another one')!r}: "
            f"its base has {' and '.join(wrong)}; give the model that it was made from"
        )


def read_spec(path: Path, /) -> tuple[Architecture, dict[str, Any]]:
    """The architecture of a spec, and the whole of it.

    Raises:
        SpecError: The file is missing or not a spec.
    """
    if not path.is_file():
        remedy = "a finished search writes it, `nas status` tells how far a run is"
        raise SpecError(no_such_file(path, what="spec", remedy=remedy))
    try:
        data = parse_json(path.read_bytes())
        architecture = Architecture.from_dict(data)
    except (JsonError, ArchitectureError) as error:
        raise SpecError(f"{path} is not a spec: {error}") from error
    if data.get("arch_id", architecture.arch_id) != architecture.arch_id:
        raise SpecError(
            f"`arch_id` in {path} must be the digest of its `stages`, {architecture.arch_id}, but is "
            f"{reprlib.repr(data['arch_id'])}: one of both was edited, and what it says of scores and milliseconds is "
            "another architecture's; restore the file, or leave only `schema_version` and `stages` in it"
        )
    return architecture, data
