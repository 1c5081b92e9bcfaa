"""What the file of each job holds, and whose file one is: told by its own sections before another job reads it.

The names stand here once for all rooms, whose classes of settings are the law; a test holds them to be equal.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from os import PathLike
from typing import Final

from nas.config.sections import ExperimentConfig
from nas.settings import described
from search_spaces.files.user_error import UserError


class Job(StrEnum):
    """A command that takes a YAML file of its own kind."""

    SEARCH = "search"
    SWEEP = "sweep"
    STEPS = "steps"
    DECODER = "decoder"
    PIPELINE = "pipeline"
    EVALUATION = "evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFile:
    """The file of a job.

    Attributes:
        what: What it is called.
        command: What takes it; the file's name follows.
        marks: Names that a person knows it by, among `names`.
        names: All that may stand at its top.
    """

    what: str
    command: str
    marks: tuple[str, ...]
    names: frozenset[str]


def _file(what: str, command: str, marks: str, others: Iterable[str]) -> JobFile:
    return JobFile(what=what, command=command, marks=(*marks.split(),), names=frozenset({*marks.split(), *others}))


_COMMON: Final = ("model", "model_variant", "num_threads", "seed")
JOB_FILES: Final = {
    Job.SEARCH: _file(
        "an experiment of `nas search`", "nas search", "search validation latency_table", described(ExperimentConfig)
    ),
    Job.SWEEP: _file(
        "a sweep of `nas sweep`",
        "nas sweep",
        "experiment ranges",
        ("overrides", "num_trials", "concurrency", "address", "seed"),
    ),
    Job.STEPS: _file(
        "a step distillation of `nas distill steps`",
        "nas distill steps",
        "order steps loss samples",
        (
            *("teacher", "student", "method", "training", "conversion_iterations", "iterations_by_stage"),
            *("picture_cache", *_COMMON),
        ),
    ),
    Job.DECODER: _file(
        "a decoder distillation of `nas distill decoder`",
        "nas distill decoder",
        "ratio channels latents",
        ("sampling", "training", "clip", "latent_cache", *_COMMON),
    ),
    Job.PIPELINE: _file("a pipeline of `nas pipeline`", "nas pipeline", "stages final report", ("model",)),
    Job.EVALUATION: _file(
        "an evaluation of `nas evaluate`",
        "nas evaluate FOLDER --config",
        "captions guidance schedulers metrics",
        (
            *("clip", "pictures", "images", "num_captions", "num_pictures", "steps", "baselines", "score", "features"),
            *("chunk_size", "seed", "num_threads", "execution", "workers"),
        ),
    ),
}


def job_of(names: Iterable[str], /, *, wanted: Job) -> Job:
    """The job whose file has these names at its top; the wanted one unless another knows more of them.

    Args:
        names: What stands there, slips included.
        wanted: The job that reads it.
    """
    given = {*map(str, names)}
    unknown = {job: len(given - file.names) for job, file in JOB_FILES.items()}
    nearest = min(JOB_FILES, key=lambda job: (unknown[job], job is not wanted))
    return nearest if 2 * unknown[nearest] < len(given) else wanted  # one that knows half of it is a stranger too


def check_job(names: Iterable[str], /, *, path: str | PathLike[str], wanted: Job) -> None:
    """Check that a file is not another job's.

    Args:
        names: What stands at its top.
        path: The file.
        wanted: The job that reads it.

    Raises:
        UserError: It is; the message says whose, by which sections, and what to do.
    """
    given = {*map(str, names)}
    found = job_of(given, wanted=wanted)
    if found is wanted:
        return
    file, other = JOB_FILES[found], JOB_FILES[wanted]
    strangers = sorted(given - other.names, key=lambda name: (name not in file.marks, name))
    say = "says" if len(strangers) == 1 else "say"
    raise UserError(
        f"{path} is {file.what}, as {_listed(strangers[:3])} in it {say}, and `{file.command} {path}` takes it; wanted "
        f"is {other.what}, which has {_listed(other.marks[:3])}: `nas init FILE.yaml --of {wanted}` writes one"
    )


def _listed(names: Iterable[str]) -> str:
    *most, last = (f"`{name}`" for name in names)
    return f"{', '.join(most)} and {last}" if most else last
