"""Whose file a YAML is: every wrong pairing of file and command is told in one sentence."""

import os
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from nas.config.jobs.kinds import JOB_FILES, Job, job_of
from nas.config.jobs.writing import SOURCES
from nas.config.loading import load_config
from nas.config.sections import ExperimentConfig
from nas.curves.asked.reading import read_values
from nas.curves.asked.settings import EvaluationSettings
from nas.distillation.decoder.job import load_decoder_config
from nas.distillation.decoder.settings import DecoderDistillationConfig
from nas.distillation.steps.job import load_steps_config
from nas.distillation.steps.settings import StepDistillationConfig
from nas.runs.directory import RunDirectoryError
from nas.runs.run import open_run
from nas.settings import described, read
from nas.stages.pipeline import load_pipeline_settings
from nas.stages.settings import PipelineSettings
from nas.sweeps.settings import SweepSettings, read_sweep
from search_spaces.files.strict_yaml import read_yaml
from search_spaces.files.user_error import UserError

READERS: Final[dict[Job, tuple[type, Callable[[Path], Any]]]] = {
    Job.SEARCH: (ExperimentConfig, load_config),
    Job.SWEEP: (SweepSettings, read_sweep),
    Job.STEPS: (StepDistillationConfig, load_steps_config),
    Job.DECODER: (DecoderDistillationConfig, load_decoder_config),
    Job.PIPELINE: (PipelineSettings, load_pipeline_settings),
    Job.EVALUATION: (EvaluationSettings, read_values),
}


@pytest.mark.parametrize("job", Job)
def test_the_table_has_the_names_of_each_jobs_settings(job: Job) -> None:
    kind, _ = READERS[job]
    assert JOB_FILES[job].names == described(kind).keys()
    others = set().union(*(JOB_FILES[other].names for other in Job if other is not job))
    assert set(JOB_FILES[job].marks) - others, "something that only its file has"


@pytest.mark.parametrize(("given", "wanted"), [pair for pair in product(Job, Job) if pair[0] is not pair[1]])
def test_another_jobs_file_is_told_by_its_own_sections(given: Job, wanted: Job) -> None:
    path = SOURCES[given]
    with pytest.raises(UserError) as error:
        READERS[wanted][1](path)
    said = str(error.value)
    assert said.startswith(f"{path} is {JOB_FILES[given].what}, as `")
    assert f"`{JOB_FILES[given].command} {path}` takes it" in said
    assert said.endswith(f"`nas init FILE.yaml --of {wanted}` writes one")
    assert "\n" not in said


@pytest.mark.parametrize("job", Job)
def test_what_is_no_file_is_told_from_what_is_not_there(job: Job, tmp_path: Path) -> None:
    """`nas init` is the remedy of nothing alone: it refuses a place where something stands."""
    os.mkfifo(tmp_path / "pipe.yaml")
    said = {
        tmp_path: "is a folder; give the file in it that is meant",
        tmp_path / "pipe.yaml": "must be a file, but is a device, a pipe or a socket; save what it gives as a file",
    }
    for path, words in said.items():
        with pytest.raises(UserError, match=f"^{path} {words}$"):
            READERS[job][1](path)
    with pytest.raises(
        UserError, match=rf"^there is no \w+ {tmp_path}/none; `nas init {tmp_path}/none[^`]*` writes one"
    ):
        READERS[job][1](tmp_path / "none")


def test_no_job_asks_for_more_threads_than_torch_can_count() -> None:
    for kind, _ in READERS.values():
        if "num_threads" in described(kind):
            with pytest.raises(UserError, match=r"num_threads: must be less than or equal to 4096, but got 10{30}"):
                read(kind, {"num_threads": 10**30}, name="a job")


def test_a_slip_stays_a_slip_and_a_stranger_a_stranger() -> None:
    for job, path in SOURCES.items():
        names = [*read_yaml(path)]
        assert job_of([*names, "sed"], wanted=job) is job
        assert job_of([*names, "sed"], wanted=next(other for other in Job if other is not job)) is job
    assert job_of(["prompt", "steps"], wanted=Job.SWEEP) is Job.SWEEP, "half of it is known: not enough"
    assert job_of([], wanted=Job.STEPS) is Job.STEPS


def test_a_file_that_another_file_names_is_told_apart_too(tmp_path: Path) -> None:
    (tmp_path / "sweep.yaml").write_text(
        yaml.safe_dump({"experiment": str(SOURCES[Job.STEPS]), "ranges": {"seed": {"choices": [0]}}})
    )
    with pytest.raises(UserError, match=r"sweep.yaml: with seed=0, .*steps.yaml is a step distillation"):
        read_sweep(tmp_path / "sweep.yaml")


def test_an_experiment_is_no_run() -> None:
    with pytest.raises(RunDirectoryError, match="is a file, and a run is a directory: give the one"):
        open_run(SOURCES[Job.SEARCH])
