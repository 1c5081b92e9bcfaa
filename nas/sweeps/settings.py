"""What a sweep is asked: which settings of which search its trials change, and how."""

import json
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from nas.config.jobs.kinds import Job, check_job
from nas.config.loading import load_config
from nas.settings import read, settings
from search_spaces.files.paths import local_path, no_such_file
from search_spaces.files.strict_yaml import read_yaml
from search_spaces.files.user_error import UserError

STORE: Final = "score_store"  # all trials have one
_MOST: Final = 2**63  # Optuna's own numbers end there
_SHORT: Final = reprlib.Repr()


@settings
class Range:
    """What one setting may be; exactly one of the three is given."""

    choices: Annotated[tuple[Any, ...], Field(description="one of these")] = ()
    whole: Annotated[tuple[int, ...], Field(description="a whole number from the first to the second")] = ()
    real: Annotated[tuple[float, ...], Field(description="a number from the first to the second")] = ()
    log: Annotated[bool, Field(description="draw numbers evenly by their logarithm?")] = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(map(bool, (self.choices, self.whole, self.real))) != 1:
            raise UserError("give one of `choices`, `whole` and `real`")
        ends = self.whole or self.real
        if ends and not (len(ends) == 2 and -_MOST < ends[0] < ends[1] < _MOST):
            raise UserError(f"a range is its first and its last number, but got {_SHORT.repr(list(ends))}")
        if self.log and not (ends and ends[0] > 0):
            raise UserError("`log` is of a range of numbers above 0")
        return self


@settings
class SweepSettings:
    """A sweep, one YAML file."""

    experiment: Annotated[Path, Field(description="the search, a YAML file; relative to this one")]
    ranges: Annotated[Mapping[str, Range], Field(description="what trials change, by dotted name")]
    overrides: Annotated[tuple[str, ...], Field(description="what is changed in all trials: key=value")] = ()
    num_trials: Annotated[int, Field(ge=1, description="how many")] = 8
    concurrency: Annotated[int, Field(ge=1, description="trials at a time, a CPU each")] = 1
    address: Annotated[str | None, Field(description="of a Ray cluster; null = this machine")] = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1, description="of the proposals")] = 0

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.ranges:
            raise UserError("`ranges` must name at least one setting of the search")
        return self


def read_sweep(path: Path, /) -> SweepSettings:
    """A sweep's settings, checked: its experiment loads with every end and choice of its ranges.

    Raises:
        ValueError: They break a law; the message says which.
    """
    path = local_path(path)
    if not path.is_file():
        raise UserError(no_such_file(path, what="sweep", remedy=f"`nas init {path} --of sweep` writes one"))
    values = read_yaml(path)
    check_job(values, path=path, wanted=Job.SWEEP)
    given = read(SweepSettings, values, name=str(path))
    experiment = (path.parent / given.experiment).resolve()
    for key, each in given.ranges.items():
        for value in each.choices or each.whole or each.real:
            try:
                load_config(experiment, overrides=[*given.overrides, override(key, value), override(STORE, "scores")])
            except UserError as error:
                raise UserError(f"{path}: with {key}={value!r:.40}, {error}") from error
    return read(SweepSettings, {**values, "experiment": str(experiment)}, name=str(path))


def override(key: str, value: Any, /) -> str:
    """A setting as it is typed on a command line."""
    return f"{key}={json.dumps(value)}"
