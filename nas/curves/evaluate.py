"""One call that evaluates: draws what is not stored yet, chunk by chunk, and computes the numbers of every point.

Real pictures come first, so that too few of them for a distance are known before anything is drawn.
"""

from collections.abc import Sequence
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import Final

import numpy as np

from nas.curves.asked.settings import EvaluationSettings
from nas.curves.drawing import draw_missing
from nas.curves.plan import Plan, make_plan
from nas.curves.points import Curves, Point, table_paths
from nas.curves.real import Crew, real_features
from nas.curves.standing import Listener, Standing
from nas.curves.store import EvaluationStore
from nas.curves.worker import CurveWorker, DrawingTask
from nas.metrics.estimate import Estimate, Features, MetricError, mean_estimate
from nas.metrics.registry import Metric
from nas.pipelines.protocol import SamplingProtocol
from nas.workers.pool import pool_of
from search_spaces.files.durable.locks import locked
from search_spaces.files.durable.places import PlaceError, sweep_beside
from search_spaces.files.paths import local_path
from search_spaces.files.user_error import UserError

STORE: Final = "evaluations"
_LOCK: Final = "evaluation.lock"  # and a mark: the tables beside it are ours


def run_evaluation(
    folders: Sequence[str | PathLike[str]],
    /,
    *,
    settings: EvaluationSettings,
    out: str | PathLike[str],
    store: str | PathLike[str] | None = None,
    names: Sequence[str] = (),
    on_standing: Listener = lambda standing: None,
) -> Curves:
    """Evaluate models, or go on where an earlier call stopped.

    Args:
        folders: Pipeline folders, exports, runs, trainings.
        settings: What is drawn and computed.
        out: Folder of the tables; made when there is none.
        store: Folder of what was drawn before, which many evaluations may share; None = `OUT/evaluations`.
        names: What the models are called; none = by their folders.
        on_standing: Called often with where it stands; must be quick.

    Returns:
        The numbers, which stand in OUT as curves.json, .csv and .parquet too.

    Raises:
        UserError: Something does not fit, as `make_plan`; or too few pictures for a metric that was asked for.
        StorageError: The disk refuses; the same call goes on.
    """
    plan = make_plan([str(folder) for folder in folders], settings=settings, names=names)
    return evaluate(plan, out=local_path(out), store=local_path(store) if store else None, on_standing=on_standing)


def evaluate(plan: Plan, /, *, out: Path, store: Path | None = None, on_standing: Listener) -> Curves:
    """Carry out a plan; see `run_evaluation`."""
    others = [path.name for path in table_paths(out) if path.exists()]
    if others and not (out / _LOCK).is_file():
        raise PlaceError(f"{out} holds {', '.join(others)} of something else, which would be lost; give another --out")
    out.mkdir(parents=True, exist_ok=True)
    lock = locked(out / _LOCK, make=True)
    if lock is None:
        raise UserError(f"another process evaluates into {out}; wait for it, or give another folder")
    try:
        for table in table_paths(out):
            sweep_beside(table)
        kept = EvaluationStore(store or out / STORE)
        pool: Crew = pool_of(
            CurveWorker,
            plan.spec,
            settings=plan.settings.workers,
            log_folder=out / "logs" if plan.settings.workers.needs_ray else None,
            on_start=lambda done, total: on_standing(Standing(phase="starting", done=done, total=total)),
        )
        with closing(pool):
            curves = _curves(plan, pool, kept, on_standing)
        curves.write(out)
        return curves
    finally:
        lock.release()


def _curves(plan: Plan, pool: Crew, store: EvaluationStore, say: Listener) -> Curves:
    real = _real_by_model(plan, pool, store, say)
    left_out, num_made = list(plan.left_out), len(plan.prompts.prompts)
    metrics = list[Metric]()
    for metric in plan.metrics:
        num_real, num_dimensions = min((features.shape for features in real), default=(0, 0))
        missing = metric.shortage(num_made=num_made, num_real=num_real, num_dimensions=num_dimensions)
        if missing and plan.settings.metrics is not None:
            raise MetricError(f"{missing}; give more captions and pictures, or ask for KID, CMMD or MIND")
        if missing:
            left_out.append(missing)
        else:
            metrics.append(metric)
    draw_missing(plan, pool=pool, store=store, say=say, featured=bool(metrics))
    ways = [(place, protocol) for place in range(len(plan.names)) for protocol in plan.protocols]
    points = list[Point]()
    for place, protocol in ways:
        say(Standing(phase="computing", done=len(points), total=len(ways)))
        points.append(_point(plan, store, place, protocol, metrics=metrics, real=real[place] if metrics else None))
    return Curves(
        points=tuple(points),
        score=plan.score.name,
        higher_is_better=plan.score.higher_is_better,
        features=plan.spec.features.name if plan.spec.features is not None and metrics else "",
        left_out=tuple(left_out),
    )


def _real_by_model(plan: Plan, pool: Crew, store: EvaluationStore, say: Listener) -> list[Features]:
    """Features of the real pictures, cut to the shape of each model's; none where no distance is wanted."""
    found: dict[tuple[int, int], Features] = {}
    if not plan.metrics or plan.reader is None:
        return []
    sizes = [plan.size_px(place) for place in range(len(plan.names))]
    most = plan.settings.num_pictures or plan.reader.num_pictures
    for size_px in sizes:
        if size_px not in found:
            found[size_px] = real_features(
                plan,
                pool=pool,
                store=store,
                size_px=size_px,
                on_chunk=lambda done: say(Standing(phase="real pictures", done=done, total=most)),
            ).astype(np.float64)
    return [found[size_px] for size_px in sizes]


def _point(
    plan: Plan,
    store: EvaluationStore,
    place: int,
    protocol: SamplingProtocol,
    /,
    *,
    metrics: Sequence[Metric],
    real: Features | None,
) -> Point:
    tasks = [DrawingTask(model=place, protocol=protocol, chunk=chunk) for chunk in range(plan.prompts.num_chunks)]
    scores = [store.get(plan.score_key(task)) for task in tasks]
    numbers: dict[str, Estimate] = {
        plan.score.name: mean_estimate(np.concatenate([_there(part) for part in scores])[:, 0].astype(np.float64))
    }
    if real is not None:
        made = np.concatenate([_there(store.get(plan.feature_key(task))) for task in tasks]).astype(np.float64)
        numbers |= {metric.name: metric.of(made, real) for metric in metrics}
    return Point(
        model=plan.names[place],
        protocol=protocol,
        num_passes=plan.passes(place, protocol),
        is_baseline=not plan.settings.asks_for(protocol),
        numbers=numbers,
    )


def _there(numbers: "np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None") -> Features:
    """What was drawn a moment ago."""
    if numbers is None:
        raise UserError("somebody took files out of the store while the evaluation ran; run it again")
    return numbers.astype(np.float64)
