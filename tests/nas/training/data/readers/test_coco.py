"""MS-COCO's caption JSON: every problem at once, pictures where COCO has them or where they are said to be."""

import json
from pathlib import Path

import pytest

from nas.training.data.readers.coco import read_coco
from search_spaces.files.user_error import UserError
from tests.nas.training.data import sets


def test_pictures_stand_beside_the_json_or_where_it_is_said(tmp_path: Path) -> None:
    usual = sets.write_coco(tmp_path / "coco", sets.samples(2))
    assert read_coco(usual).folder == tmp_path / "coco" / "val2017"
    moved = tmp_path / "captions.json"
    moved.write_bytes(usual.read_bytes())
    with pytest.raises(UserError, match=r"has 2 problems:\n  images\[0\] names '0000\.png', which is no file"):
        read_coco(moved)
    assert len(read_coco(moved, images=tmp_path / "coco" / "val2017").names) == 2
    with pytest.raises(UserError, match=r"`data\.images` must be the folder of the pictures"):
        read_coco(moved, images=tmp_path / "absent")


def test_a_picture_without_captions_is_none_of_the_set(tmp_path: Path) -> None:
    path = sets.write_coco(tmp_path / "coco", sets.samples(3))
    document = json.loads(path.read_text(encoding="utf-8"))
    document["annotations"] = [each for each in document["annotations"] if each["image_id"] != 1]
    path.write_text(json.dumps(document), encoding="utf-8")
    assert read_coco(path).names.to_pylist() == ["0000.png", "0002.png"]


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    broken = {
        "annotations": [{"image_id": 0, "caption": 3}, {"image_id": 9, "caption": "a"}, {"caption": "a"}, 7],
        "images": [{"id": 0}, {"id": 1, "file_name": "../0.png"}, {"file_name": "a"}],
    }
    path = sets.write_coco(tmp_path / "coco", sets.samples(1), more=broken)
    with pytest.raises(UserError) as refusal:
        read_coco(path)
    for told in (
        "annotations[0] must have a string as `caption`, but got 3",
        "annotations[2] must have a number or a text as `image_id`, but has none",
        "annotations[3] must be an object, but is a int",
        "images[0] must have `file_name`, but has id",
        "images[2] must have a number or a text as `id`",
        "annotations tell of image_id 9, which no image has",
    ):
        assert told in str(refusal.value)


@pytest.mark.parametrize("more", [{"annotations": {}}, {"images": None}])
def test_another_json_is_refused(tmp_path: Path, more: dict[str, object]) -> None:
    path = sets.write_coco(tmp_path / "coco", sets.samples(1), more=more)
    with pytest.raises(UserError, match="must hold lists `images` and `annotations`"):
        read_coco(path)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match="must be a JSON object"):
        read_coco(path)


def test_no_captions_at_all_is_said(tmp_path: Path) -> None:
    path = sets.write_coco(tmp_path / "coco", sets.samples(1), more={"annotations": []})
    with pytest.raises(UserError, match="holds no caption of an image"):
        read_coco(path)
