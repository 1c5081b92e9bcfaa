"""Every format gives the same pictures, in its order, and goes on wherever it was left; a path says which it is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nas.training.data.picture_files import read_picture
from nas.training.data.readers.example import Damaged, Example, PictureReader
from nas.training.data.readers.opening import open_pictures
from search_spaces.files.user_error import UserError
from tests.nas.training.data import sets

NUM = 11


def in_tars(folder: Path) -> Path:
    folder.mkdir()
    rows = sets.samples(NUM)
    sets.write_tar(folder / "000.tar", sets.members(rows[:7]))
    sets.write_tar(folder / "001.tar", sets.members(rows[7:]))
    return folder / "{000..001}.tar"


def in_parquets(folder: Path) -> Path:
    folder.mkdir()
    rows = sets.samples(NUM)
    sets.write_parquet(folder / "a.parquet", rows[:7])
    sets.write_parquet(folder / "b.parquet", rows[7:])
    return folder / "*.parquet"


FORMATS: dict[str, Callable[[Path], Path]] = {
    "folder": lambda folder: sets.write_folder(folder, sets.samples(NUM)),
    "coco": lambda folder: sets.write_coco(folder, sets.samples(NUM)),
    "tars": in_tars,
    "parquets": in_parquets,
}


PATHS = {
    "folder": ".",
    "coco": "annotations/captions_val2017.json",
    "tars": "{000..001}.tar",
    "parquets": "*.parquet",
}


def everything(reader: PictureReader) -> list[tuple[int, int, Example | Damaged]]:
    return [(part, after, each) for part in range(reader.num_parts) for after, each in reader.read(part)]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_pictures_and_captions(tmp_path: Path, form: str) -> None:
    reader = open_pictures(FORMATS[form](tmp_path / "set"))
    examples = [each for _, _, each in everything(reader)]
    assert reader.num_pictures in (NUM, None)
    assert len(examples) == NUM
    for index, each in enumerate(examples):
        assert isinstance(each, Example)
        assert each.captions[0] == sets.caption(index)
        assert each.captions[1:] == ((f"{sets.caption(index)} too",) if form == "coco" else ())
        shown = read_picture(each.picture, size_px=(8, 8)).pixels
        assert np.array_equal(shown, read_picture(sets.png(index), size_px=(8, 8)).pixels)
    assert len({each.name for each in examples}) == NUM


@pytest.mark.parametrize("form", FORMATS)
def test_reading_goes_on_where_it_was_left(tmp_path: Path, form: str) -> None:
    reader = open_pictures(FORMATS[form](tmp_path / "set"))
    whole = everything(reader)
    for part, after, _ in whole:
        rest = [each for _, each in reader.read(part, start=after)]
        behind = [each for index, (own, mark, each) in enumerate(whole) if own == part and mark > after]
        assert rest == behind


@pytest.mark.parametrize("form", FORMATS)
def test_the_digest_follows_content_and_not_the_place(tmp_path: Path, form: str) -> None:
    here, there = open_pictures(FORMATS[form](tmp_path / "here")), open_pictures(FORMATS[form](tmp_path / "there"))
    assert here.digest == there.digest
    kinds = (".png", ".tar", ".parquet")
    changed = next(path for path in sorted((tmp_path / "there").rglob("*")) if path.suffix in kinds)
    data = bytearray(changed.read_bytes())
    data[len(data) // 2] ^= 1
    changed.write_bytes(bytes(data))
    assert open_pictures(tmp_path / "there" / PATHS[form]).digest != here.digest


def test_braces_and_wildcards_mean_files(tmp_path: Path) -> None:
    for name in ("a-08", "a-09", "a-10", "b-0"):
        sets.write_tar(tmp_path / f"{name}.tar", sets.members(sets.samples(1)))
    counted = {"a-{08..10}": 3, "{a-09,b-0}": 2, "a-*": 3, "{a-10,b-*}": 2, "?-0*": 3}
    for name, num in counted.items():
        assert open_pictures(tmp_path / f"{name}.tar").num_parts == num, name
    with pytest.raises(UserError, match=r"there is no file .*a-11\.tar"):
        open_pictures(tmp_path / "a-{10..11}.tar")
    with pytest.raises(UserError, match="must count upwards"):
        open_pictures(tmp_path / "a-{10..9}.tar")


def test_a_path_of_another_kind_is_refused_with_what_to_give(tmp_path: Path) -> None:
    sets.write_tar(tmp_path / "0.tar", sets.members(sets.samples(1)))
    (tmp_path / "metadata.txt").write_text("a\n", encoding="utf-8")
    (tmp_path / "1.tar").write_bytes(sets.JUNK * 100)
    (tmp_path / "1.parquet").write_bytes(sets.JUNK * 100)
    refusals = {
        ".": r"holds no metadata\.jsonl, but files \*\.tar; give them: .*\*\.tar",
        "absent": r"there is no .*absent/metadata\.jsonl; write one line",
        "absent.zap": r"there is no .*absent\.zap; give a folder with",
        "absent.tar": r"there is no file .*absent\.tar",
        "*.parquets": "there is no",
        "0.tar.gz": "must not be compressed, but is; unpack it",
        "metadata.txt": r"is a file \.txt",
        "1.tar": r"1\.tar must be a tar",
        "1.parquet": r"1\.parquet must be a whole parquet file",
    }
    for name, refusal in refusals.items():
        with pytest.raises(UserError, match=refusal):
            open_pictures(tmp_path / name)
