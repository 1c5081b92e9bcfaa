"""One call that goes the whole way: every stage once, as its receipt has it; then the last folder and the report."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final

from nas.config.jobs.kinds import Job, check_job
from nas.pipelines.source import find_model
from nas.settings import read
from nas.stages.checking import check_stages
from nas.stages.doing import model_meant, ready
from nas.stages.final import num_steps, write_final
from nas.stages.outcome import (
    Outcome,
    content_of,
    directory_of,
    identity,
    keep_seconds,
    read_receipt,
    write_receipt,
)
from nas.stages.pins import Pins
from nas.stages.report import write_report
from nas.stages.settings import PipelineSettings
from nas.stages.times import PartTimes, measure_times
from search_spaces.files.durable.locks import locked
from search_spaces.files.durable.parts import sweep
from search_spaces.files.durable.places import check_own
from search_spaces.files.paths import local_path, no_such_file
from search_spaces.files.strict_yaml import read_yaml
from search_spaces.files.user_error import UserError

Say = Callable[[str], None]
_LOCK: Final = "pipeline.lock"  # and a mark: what else stands beside it is ours


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineResult:
    """What a pipeline gave.

    Attributes:
        folder: The model, which plain diffusers runs.
        num_steps: Steps that it draws in.
        report: The page that says what it costs, before and after.
        outcomes: What each stage gave.
        times: Of a picture, by "before" and "after".
    """

    folder: Path
    num_steps: int
    report: Path
    outcomes: dict[str, Outcome]
    times: dict[str, PartTimes]


def load_pipeline_settings(path: str | PathLike[str], /) -> PipelineSettings:
    """Read a pipeline's YAML.

    Raises:
        UserError: The file is missing or breaks a law; the message lists every problem.
    """
    path = local_path(path)
    if not path.is_file():
        raise UserError(no_such_file(path, what="pipeline", remedy=f"`nas init {path} --of pipeline` writes one"))
    values = read_yaml(path)
    check_job(values, path=path, wanted=Job.PIPELINE)
    return read(PipelineSettings, values, name=str(path))


def run_pipeline(
    config: str | PathLike[str], /, *, out: str | PathLike[str], on_line: Say | None = None
) -> PipelineResult:
    """Go through all stages, or go on where an earlier call stopped.

    Args:
        config: The YAML; its paths are relative to its folder.
        out: Directory of all that is written; made when there is none.
        on_line: Hears a line per stage and moment, instead of standard error.

    Returns:
        The last folder, and what it costs.

    Raises:
        UserError: A stage's settings break a law; stages before it stand.
        StorageError: The disk refuses; the same call goes on.
    """
    say, path = on_line or _say, local_path(config)
    settings, root = load_pipeline_settings(path), local_path(out)
    check_own(root, marks=(_LOCK,), what="a pipeline")
    root.mkdir(parents=True, exist_ok=True)
    lock = locked(root / _LOCK, make=True)
    if lock is None:
        raise UserError(f"another process is at work in {root}; wait for it, or give another directory")
    try:
        sweep(root)
        return _gone_through(settings, folder=path.parent.resolve(), root=root.resolve(), say=say)
    finally:
        lock.release()


def _gone_through(settings: PipelineSettings, *, folder: Path, root: Path, say: Say) -> PipelineResult:
    pins = Pins(root)
    base = find_model(pins.commit(model_meant(settings.model, folder=folder)))
    check_stages(settings, base=base, folder=folder, root=root, pins=pins)
    outcomes = dict[str, Outcome]()
    for number, name in enumerate(settings.stages, 1):
        say(f"stage {number} of {len(settings.stages)}: {name} ({settings.kind(name)})")
        outcomes[name] = _done(settings, name, folder=folder, root=root, outcomes=outcomes, say=say, pins=pins)
    made = write_final(settings, outcomes, base=base, out=root)
    steps, scale = num_steps(settings, outcomes), settings.final.guidance_scale
    wanted = settings.report
    say("measuring the parts of a picture, before and after")
    times = measure_times(
        {
            "before": (base, wanted.num_steps, wanted.guidance_scale or scale),
            "after": (find_model(str(made)), steps, scale),
        },
        threads=wanted.threads,
        max_rounds=wanted.max_rounds,
    )
    report = write_report(settings, outcomes, times=times, base=base, out=root)
    return PipelineResult(folder=made, num_steps=steps, report=report, outcomes=outcomes, times=times)


def _done(
    settings: PipelineSettings,
    name: str,
    /,
    *,
    folder: Path,
    root: Path,
    outcomes: dict[str, Outcome],
    say: Say,
    pins: Pins,
) -> Outcome:
    """A stage, done now or before."""
    kind = settings.kind(name)
    try:
        stage = ready(settings.stages[name], kind=kind, folder=folder, outcomes=outcomes, say=say, commit=pins.commit)
    except UserError as error:
        raise UserError(f"the stage {name}: {error}") from error
    known = {str(outcome.folder): outcome.digest for outcome in outcomes.values()}
    known |= {str(outcome.directory / "run"): f"run of {outcome.digest}" for outcome in outcomes.values()}
    for model in stage.values.get("models", ()):
        if not Path(model).is_absolute():  # a name: what it means may change
            known[model] = content_of(find_model(model).path)
    what = identity(kind, stage.values, known=known)
    directory = directory_of(root, name, what=what)
    if (before := read_receipt(directory)) is not None:
        say(f"  done before, in {before.seconds:,.0f} s: {before.folder}")
        return before
    began = time.time()
    try:
        given, steps = stage.do(directory)
    except BaseException:
        keep_seconds(directory, began)
        raise
    outcome = write_receipt(directory, folder=given, num_steps=steps, what=what, began=began)
    say(f"  done in {outcome.seconds:,.0f} s: {outcome.folder}")
    return outcome


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201  who waits is told
