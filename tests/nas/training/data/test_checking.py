"""What is checked of a set before anything is loaded."""

from pathlib import Path

import pytest

from nas.training.data import checking
from nas.training.data.checking import check_pictures, first_captions
from nas.training.data.corruption import CorruptPicturesError, CorruptPicturesWarning
from nas.training.data.readers.opening import open_pictures
from tests.nas.training.data import sets


def test_of_a_small_set_every_damaged_picture_counts(tmp_path: Path) -> None:
    reader = open_pictures(sets.write_folder(tmp_path / "set", sets.samples(9, damaged=[2, 7])))
    with pytest.raises(
        CorruptPicturesError, match=r"2 of 9 .*: 0002\.png must be a whole picture in .*; 0007\.png must"
    ):
        check_pictures(reader, max_corrupt_share=0.01)
    with pytest.warns(CorruptPicturesWarning, match="2 of 9"):
        check_pictures(reader, max_corrupt_share=0.3)
    assert first_captions(reader) == [sets.caption(index) for index in range(9)]


def test_of_a_large_set_the_first_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "FIRST", 4)
    reader = open_pictures(sets.write_folder(tmp_path / "set", sets.samples(50, damaged=[1, 30])))
    check_pictures(reader, max_corrupt_share=0.02)
    with pytest.raises(CorruptPicturesError, match="1 of 5"):
        check_pictures(reader, max_corrupt_share=0.01)


@pytest.mark.parametrize("crop", ["random"])
def test_random_cuts_need_pictures_in_every_step(crop: str) -> None:
    from nas.settings import SettingsError
    from nas.training.data.settings import Crop, DataSettings

    with pytest.raises(SettingsError, match="`crop: random` cuts anew in every step, which needs `encode: per_batch`"):
        DataSettings(crop=Crop(crop))
