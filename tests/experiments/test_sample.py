"""A sample is made of a run by one command: of the sample itself it is the sample again."""

from pathlib import Path

import pytest

from experiments.sample import by_names, machine_paths, main
from nas.runs.bundled.naming import BUNDLED_RUNS
from search_spaces.files.user_error import UserError

SAMPLE = BUNDLED_RUNS["sample"]


def contents(folder: Path, /) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_sample_of_the_sample_is_the_sample(tmp_path: Path) -> None:
    main(SAMPLE, out=tmp_path / "again")
    again, sample = contents(tmp_path / "again"), contents(SAMPLE)
    assert again.keys() == sample.keys()
    assert [
        name
        for name in sample
        if again[name] != sample[name] and not name.endswith((".png", ".pictures.parquet", ".samples.parquet"))
    ] == []


def test_an_unfinished_run_gives_none(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    with pytest.raises(UserError, match="made of a finished run"):
        main(tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_places_become_names() -> None:
    config = {
        "model": "/x/search_spaces/shapes/pipeline",
        "clip": {"model": "/x/search_spaces/shapes/open_clip"},
        "seed": 0,
    }
    assert by_names(config) == {"model": "shapes", "clip": {"model": "shapes"}, "seed": 0}
    assert by_names({"robust_training": {"pictures": "/x/runs/demo-pictures"}}) == {
        "robust_training": {"pictures": "demo-pictures"}
    }


def test_a_place_that_remains_is_told(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text('{"place": "/home/me/models"}')
    assert list(machine_paths(tmp_path)) == ["/home/me/models in export.json"]


def test_nothing_but_a_sample_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("mine")
    with pytest.raises(UserError, match="must be a sample, or not be there yet"):
        main(SAMPLE, out=tmp_path)
    assert (tmp_path / "thesis").read_text() == "mine"
