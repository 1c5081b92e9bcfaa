"""`nas init`: every job's file is there in an installation, reads as it stands, and says its settings once."""

from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

from nas.algorithms.settings import EVOLVING
from nas.cli.app import app
from nas.config.algorithms import OURS, make_algorithm
from nas.config.jobs.kinds import Job
from nas.config.jobs.writing import SOURCES, write_job
from nas.config.loading import load_config
from nas.config.template import PICTURES, TEMPLATE, Of, Preset
from nas.curves.asked.reading import made_of, read_values
from nas.distillation.decoder.job import find_decoder, load_decoder_config
from nas.distillation.steps.job import find_steps, load_steps_config
from nas.robust_training.job import find_job
from nas.stages.pipeline import load_pipeline_settings
from nas.sweeps.devices import device_searches
from nas.sweeps.settings import read_sweep
from search_spaces.files.strict_yaml import read_yaml
from search_spaces.files.user_error import UserError
from search_spaces.shapes.__main__ import write_pictures

EXPERIMENTS: Final = Path(__file__).parents[4] / "experiments"
DECIDED: Final = ["search.value=paper", "search.indifference=0.0"]


def init(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["init", *map(str, arguments)])


def checked(file: Path, of: Of) -> Any:
    """What a file stands for, checked as its command does before it loads a model."""
    match of:
        case Of.SEARCH:
            return load_config(file)
        case Of.TRAIN:
            return find_job(load_config(file), file.parent / "out").config
        case Of.DEVICES:
            return device_searches(load_config(file), scores=file.parent / "scores")
        case Of.SWEEP:
            return read_sweep(file)
        case Of.STEPS:
            return find_steps(load_steps_config(file), file.parent / "out").config
        case Of.DECODER:
            return find_decoder(load_decoder_config(file), file.parent / "out").config
        case Of.PIPELINE:
            return load_pipeline_settings(file)
        case Of.EVALUATION:
            return made_of(read_values(file), name=str(file))


@pytest.mark.parametrize("of", Of)
def test_every_jobs_file_works_as_it_stands(of: Of, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    told = init(file, "--of", of)
    assert told.exit_code == 0, told.output
    files = {path.name for path in tmp_path.glob("*.yaml")}
    beside = {Of.SWEEP: {"search"}, Of.PIPELINE: {"search", "steps", "decoder"}}.get(of, set())
    assert files == {"mine.yaml", *(f"mine-{name}.yaml" for name in beside)}
    needs_pictures = f"python -m search_spaces.shapes {tmp_path / PICTURES}" in told.stdout
    assert needs_pictures is (of not in (Of.SEARCH, Of.DEVICES, Of.DECODER))
    if needs_pictures:
        write_pictures(tmp_path / PICTURES, num=8, seed=0)
    assert checked(file, of)
    text = file.read_text(encoding="utf-8")
    assert "experiments/" not in text
    assert "runs/demo" not in text
    assert f" {file}" in told.stdout


def test_the_files_are_the_repositorys_own_experiments(tmp_path: Path) -> None:
    for job in (Job.SWEEP, Job.STEPS, Job.DECODER, Job.PIPELINE, Job.EVALUATION):
        folder = EXPERIMENTS / ("distillation" if job in (Job.STEPS, Job.DECODER) else "")
        assert SOURCES[job].resolve() == folder / f"{job}.yaml", "a link, so that there is one text"
    write_job(tmp_path / "mine.yaml", of=Of.PIPELINE)
    ours, mine = (load_pipeline_settings(path) for path in (SOURCES[Job.PIPELINE], tmp_path / "mine.yaml"))
    assert list(mine.stages) == list(ours.stages)
    for name, stage in mine.stages.items():
        assert stage.kind == ours.stages[name].kind
        assert stage.config is None or (tmp_path / stage.config).is_file()
        moved = {key: f"./{PICTURES}" for key, value in stage.set.items() if "pictures" in key}
        assert stage.set == {**ours.stages[name].set, **moved}
    trained = load_config(tmp_path / "mine-search.yaml")
    assert trained == load_config(
        EXPERIMENTS / "demo.yaml", overrides=[f"robust_training.pictures={tmp_path / PICTURES}"]
    )


@pytest.mark.parametrize("name", sorted(OURS.keys() - {"rerank"}))
def test_an_algorithm_comes_with_its_own_settings(name: str, tmp_path: Path) -> None:
    assert init(tmp_path / "mine.yaml", "--algorithm", name).exit_code == 0
    search, given = load_config(tmp_path / "mine.yaml").search, read_yaml(tmp_path / "mine.yaml")["search"]
    template = load_config(TEMPLATE).search
    own = given if name == EVOLVING else given.pop("settings")
    assert own.keys() >= OURS[name].settings.__pydantic_fields__.keys()
    if name == EVOLVING:
        assert search == template, "the same search, with every setting said"
    else:
        assert given == {"target_ratio": template.target_ratio, "algorithm": name}
        assert make_algorithm(search).settings == OURS[name].settings(), "its defaults"


def test_devices_and_a_preset_go_with_an_algorithm(tmp_path: Path) -> None:
    write_job(tmp_path / "mine.yaml", of=Of.DEVICES, algorithm="knapsack")
    assert [each.name for each in device_searches(load_config(tmp_path / "mine.yaml"), scores=tmp_path)][1:] == [
        "shapes_cpu_onnxruntime", "best_for_all",
    ]  # fmt: skip
    write_job(tmp_path / "paper.yaml", of=Of.TRAIN, preset=Preset.PAPER)
    paper, ours = (load_config(tmp_path / "paper.yaml"), load_config(TEMPLATE, overrides=DECIDED))
    assert paper.search == ours.search
    assert paper.robust_training.iterations > 0


@pytest.mark.parametrize(
    ("arguments", "law"),
    [
        (("--algorithm", "greedy"), "must be one of evolving, knapsack"),
        (("--algorithm", "rerank"), "rerank ranks again what a search has scored: `nas rerank RUN` does"),
        (("--algorithm", "uniform", "--preset", "paper"), "the preset paper is of Algorithm 1"),
        (("--of", "sweep", "--algorithm", "uniform"), "`--preset` and `--algorithm` are of a search"),
        (("--of", "decoder", "--preset", "paper"), "are of a search, but the file is of `decoder`"),
    ],
)
def test_what_does_not_go_together_is_refused_and_nothing_is_written(
    arguments: tuple[str, ...], law: str, tmp_path: Path
) -> None:
    told = init(tmp_path / "mine.yaml", *arguments)
    assert (told.exit_code, [*tmp_path.iterdir()]) == (2, [])
    assert law in told.stderr


def test_a_file_beside_is_no_more_replaced_than_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "mine-search.yaml").write_text("mine")
    with pytest.raises(UserError, match=r"mine-search.yaml must be free"):
        write_job(tmp_path / "mine.yaml", of=Of.SWEEP)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
