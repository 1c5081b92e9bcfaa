"""What is asked for: lists of numbers, captions of MS-COCO, models by what people have of them, a YAML file."""

# fast: tiny networks of random weights, some seconds in all

import json
from pathlib import Path

import pytest
import yaml

from nas.curves.asked.captions import captions_of
from nas.curves.asked.ranges import numbers, whole_numbers
from nas.curves.asked.reading import made_of, read_values
from nas.curves.asked.subjects import find_subject, named_apart
from search_spaces.files.user_error import UserError
from search_spaces.shapes import PIPELINE_DIR
from tests.nas.curves.conftest import Asked


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7.5", (7.5,)),
        ("8,50", (8, 50)),
        ("1:3:0.5", (1, 1.5, 2, 2.5, 3)),
        ("1:3:1.5, 2,1", (1, 2.5, 2)),
        ("1:10.5:0.5", tuple(1 + step / 2 for step in range(20))),
        ("1.1:1.4:0.1", (1.1, 1.2, 1.3, 1.4)),
    ],
)
def test_numbers_are_read_as_written(text: str, found: tuple[float, ...]) -> None:
    assert numbers(text, name="--guidance") == found


@pytest.mark.parametrize("text", ["", "a", "1:2", "1:2:0", "2:1:1", "nan", "1:inf:1", "0:1:1e-9", "1,,2"])
def test_what_is_no_list_of_numbers_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="`--guidance` must be numbers such as"):
        numbers(text, name="--guidance")


def test_steps_are_whole() -> None:
    assert whole_numbers("8,4", name="--steps") == (8, 4)
    with pytest.raises(UserError, match=r"whole numbers, but '8,2\.5' gives 2\.5"):
        whole_numbers("8,2.5", name="--steps")


def test_coco_gives_one_caption_a_picture(tmp_path: Path, asked: Asked) -> None:
    path = tmp_path / "captions_val2017.json"
    captions = [(7, "a cup"), (9, "a tree"), (7, "one cup"), (9, "some tree")]
    document = {"images": [], "annotations": [{"image_id": i, "caption": c} for i, c in captions]}
    path.write_text(json.dumps(document), encoding="utf-8")
    assert captions_of(asked(captions=path, num_captions=2), reader=None) == ["a cup", "a tree"]


def test_a_training_is_its_model_and_a_run_its_export(model: Path, tmp_path: Path) -> None:
    trained = tmp_path / "robust"
    trained.mkdir()
    (trained / "pipeline").symlink_to(model)
    assert find_subject(str(trained)).name == "robust"
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.yaml").write_text("")
    with pytest.raises(UserError, match=r"is a run without an export; `nas export .*run` writes"):
        find_subject(str(run))
    (run / "export").symlink_to(model)
    assert find_subject(str(run)).path == run / "export"
    assert find_subject("shapes").path == PIPELINE_DIR


def test_models_of_one_name_are_told_apart(model: Path) -> None:
    found = find_subject(str(model))
    assert len(set(named_apart([found, found, find_subject("shapes")]))) == 3


def test_paths_of_a_file_are_relative_to_it(tmp_path: Path, model: Path) -> None:
    (tmp_path / "captions.txt").write_text("a cup\na tree\n")
    (tmp_path / "clip").mkdir()
    (tmp_path / "evaluation.yaml").write_text("captions: captions.txt\nclip:\n  model: clip\nguidance: [1, 2.5]\n")
    settings = made_of(read_values(tmp_path / "evaluation.yaml"), name="evaluation.yaml")
    assert settings.captions == tmp_path / "captions.txt"
    assert settings.clip is not None
    assert settings.clip.model == str(tmp_path / "clip")
    assert settings.guidance == (1, 2.5)


@pytest.mark.parametrize(("key", "value"), [("captions", ""), ("pictures", "~nobody-of-that-name/x"), ("images", "")])
def test_a_place_that_cannot_be_is_told_with_its_file_and_setting(key: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "evaluation.yaml"
    path.write_text(yaml.safe_dump({key: value}))
    with pytest.raises(UserError, match=f"{path}: {key}: "):
        read_values(path)


def test_a_name_longer_than_files_have_is_none_of_a_file(tmp_path: Path) -> None:
    path, name = tmp_path / "evaluation.yaml", "x" * 5000
    path.write_text(yaml.safe_dump({"features": name, "clip": {"model": name}}))
    assert read_values(path) == {"features": name, "clip": {"model": name}}
