"""Ask and tell gives the driver's own proposals: told a run's scores, it asks for what the run's trace holds."""

import json
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.algorithms.evolving import ArchitectureEvolving
from nas.algorithms.problem import Problem
from nas.algorithms.settings import EvolvingSettings
from nas.algorithms.steps import Extended, Finish, Score, Train
from nas.runs.step_events import decided, evaluations
from nas.testing.playing import SMALL_UNET, MacsMs
from search_spaces import space_from_config
from search_spaces.files.user_error import UserError
from tests.nas.searching import comparable_trace, search

SPACE = space_from_config(SMALL_UNET, max_copies=1)
PRICE_MS = MacsMs(SPACE)
SETTINGS = EvolvingSettings(max_copies=0)


def small(ratio: float = 0.8) -> Problem[EvolvingSettings]:
    target_ms = ratio * PRICE_MS(SPACE.base)
    return Problem(space=SPACE, price_ms=PRICE_MS, target_latency_ms=target_ms, settings=SETTINGS)


def test_told_the_scores_of_a_run_it_proposes_what_the_driver_did(experiment: Path, tmp_path: Path) -> None:
    overrides = ["racing.enabled=false", "robust_training.iterations=0", "robust_training.recovery_iterations=0"]
    search(experiment, tmp_path / "run", overrides=overrides)
    trace = comparable_trace(tmp_path / "run")
    resolved = nas.resolve(nas.load_config(experiment, overrides=overrides))
    weights = iter(event["weights_digest"] for event in trace if event["event"] == "trained")
    order = [prompt.prompt_id for prompt in resolved.worker.validation.prompts]  # sums of another differ in last bits
    frame = nas.open_run(tmp_path / "run").scores().sort_values("prompt_id", key=lambda ids: ids.map(order.index))
    scores = {key: part["clip"].tolist() for key, part in frame.groupby(["weights_digest", "arch_id"])}
    asking = nas.Asking(resolved.algorithm, problem=resolved.problem)
    events: list[dict[str, Any]] = []
    while True:
        step = asking.ask()
        if step.decision is not None:
            events.append({"event": "decision", **decided(step.decision).fields()})
        if isinstance(step, Finish):
            break
        if isinstance(step, Train):
            asking.tell_trained([next(weights)])
            continue
        assert step.reference is not None
        told = {each: scores[step.reference.weights, each.arch_id] for each in asking.architectures}
        outcome = asking.scored(told)
        events += [{"event": e.name, **e.fields()} for e in evaluations(step, outcome, problem=resolved.problem)]
        asking.tell(told)
    assert json.loads(json.dumps(events)) == [e for e in trace if e["event"] in ("evaluation", "decision")]
    assert asking.results[0].subject.architecture.arch_id == trace[-1]["arch_id"]


def test_one_number_per_architecture_is_enough_and_asking_again_changes_nothing() -> None:
    asking, asked = nas.Asking(ArchitectureEvolving(SETTINGS), problem=small()), 0
    while not asking.is_finished:
        step = asking.ask()
        assert asking.ask() is step
        if isinstance(step, Train):
            asking.tell_trained()
        else:
            asked += len(asking.architectures)
            asking.tell({each: -(PRICE_MS(each) ** 2) for each in asking.architectures} | {SPACE.base: 0.0})
    assert asked > len(SPACE.removals(SPACE.base))
    assert not asking.results[0].missed_by
    asking.tell_outcome(Extended(problem=small(0.6)))
    assert isinstance(asking.ask(), Train), "a finished search goes on with a tighter target"


def test_answers_that_do_not_fit_are_refused_and_the_question_stays() -> None:
    asking = nas.Asking(ArchitectureEvolving(SETTINGS), problem=small())
    with pytest.raises(UserError, match="scores answer a `Score`, but the search asks for `Train`"):
        asking.tell({})
    with pytest.raises(UserError, match="the search is not over"):
        _ = asking.results
    with pytest.raises(ValueError, match="every job must have a digest"):
        asking.tell_trained([])
    asking.tell_trained()
    with pytest.raises(UserError, match=f"must have scores, but {SPACE.base.arch_id}, "):
        asking.tell({})
    with pytest.raises(UserError, match="paired scores need the same prompts"):
        asking.tell({each: [0.0] * (2 + index) for index, each in enumerate(asking.architectures)})
    with pytest.raises(UserError, match="must be finite"):
        asking.tell(dict.fromkeys(asking.architectures, float("nan")))
    assert isinstance(asking.ask(), Score)
    with pytest.raises(UserError, match="weights answer a `Train`"):
        asking.tell_trained()
