"""Writing what a search found: the spec of every result, of which the first is the run's own."""

from collections.abc import Mapping
from typing import Any

from nas.algorithms.problem import Problem
from nas.algorithms.steps import Finish, Result
from nas.config.experiment import Experiment
from nas.evaluation.door import Declaration
from nas.evaluation.settings import CLIP
from nas.runs.directory import RunDirectory
from nas.runs.spec import FoundArchitecture, write_spec
from nas.scores.held_out import HeldOutScores
from nas.search.round_training import JobTrainer


def named(score: Declaration, /) -> dict[str, object] | None:
    """What a trace says of a score that is not CLIP; traces of CLIP are as they were before there were others."""
    if score.name == CLIP:
        return None
    return {"name": score.name, "unit": score.unit, "higher_is_better": score.higher_is_better}


def truth_of(finish: Finish, result: Result, /) -> HeldOutScores | None:
    """What a result scores on captions that no decision saw."""
    if result.truth is None:
        return None
    return HeldOutScores(found=result.truth.score, base=finish.base_truth, loss=result.truth.loss)


def write_results(
    finish: Finish,
    /,
    *,
    problem: Problem[Any],
    digests: Mapping[str, str],
    experiment: Experiment,
    trainer: JobTrainer,
    run: RunDirectory,
) -> FoundArchitecture:
    """Write the spec of every result.

    Args:
        finish: The search's last step.
        problem: What was searched.
        digests: Of all that it came from.
        experiment: The search.
        trainer: Knows whose weights are whose.
        run: Where to.

    Returns:
        The first result, which is the run's own.

    Raises:
        StorageError: The disk refuses.
    """
    specs: list[FoundArchitecture] = []
    for result in finish.results:
        architecture = result.subject.architecture
        specs.append(
            FoundArchitecture(
                architecture=architecture,
                round=result.round,
                job=trainer.job_of(result.subject.weights, round_number=result.round),
                stop=finish.reason,
                target_met=not result.missed_by,
                actions=result.actions,
                start=problem.start,
                base_latency_ms=problem.price_ms(problem.space.base),
                predicted_latency_ms=problem.price_ms(architecture),
                target_latency_ms=result.target_latency_ms or problem.target_latency_ms,
                limits=problem.named_limits,
                missed_by=result.missed_by,
                base_clip=finish.base,
                clip=result.score,
                digests={**digests, "weights": result.subject.weights},
                scenario=experiment.source.scenario.name,
                scored_by=named(experiment.score),
                truth=truth_of(finish, result),
            )
        )
        run.check_stands()
        path = run.spec_path if len(specs) == 1 else run.result_path(result.label)
        write_spec(path, specs[-1], space=experiment.space, model=experiment.worker.model)
    return specs[0]
