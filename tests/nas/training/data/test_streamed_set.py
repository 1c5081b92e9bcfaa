"""A set that is encoded as it comes: exact continuation anywhere, every picture once an epoch, ranks that share."""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from nas.training.data.batches import Batch
from nas.training.data.corruption import CorruptPicturesError, CorruptPicturesWarning
from nas.training.data.encoding import Encoder
from nas.training.data.opening import open_training_data
from nas.training.data.settings import Crop, DataSettings, Encoding
from nas.training.data.streamed_set import StreamedSet
from search_spaces.files.user_error import UserError
from tests.nas.training.data import sets

NUM = 18


def in_tars(folder: Path) -> Path:
    folder.mkdir()
    rows = sets.samples(NUM)
    for index, start in enumerate((0, 5, 9)):
        sets.write_tar(folder / f"{index}.tar", sets.members(rows[start : (5, 9, NUM)[index]]))
    return folder / "*.tar"


FORMS: dict[str, Callable[[Path], Path]] = {
    "folder": lambda folder: sets.write_folder(folder, sets.samples(NUM)),
    "tars": in_tars,
    "parquet": lambda folder: sets.write_parquet(folder.with_suffix(".parquet"), sets.samples(NUM)),
}


def opened(path: Path, encoder: Encoder, **settings: Any) -> StreamedSet:
    given: dict[str, Any] = {"encode": Encoding.PER_BATCH, "shuffled_pictures": 8} | settings
    chosen = DataSettings(**given)
    data = open_training_data(path, settings=chosen, encoder=encoder, cache=path)
    assert isinstance(data, StreamedSet)
    return data


def first(data: StreamedSet, num: int, *, size: int = 4, **where: Any) -> list[Batch]:
    return list(islice(data.batches(seed=3, size=size, caption_dropout=0.3, **where), num))


def assert_same(one: Batch, other: Batch) -> None:
    assert torch.equal(one.latents, other.latents)
    assert torch.equal(one.text.embeddings, other.text.embeddings)
    assert (one.pictures, one.position) == (other.pictures, other.position)
    assert torch.equal(one.generator.get_state(), other.generator.get_state())


@pytest.mark.parametrize("form", FORMS)
def test_a_training_goes_on_exactly_from_anywhere(tmp_path: Path, encoder: Encoder, form: str) -> None:
    data = opened(FORMS[form](tmp_path / "set"), encoder)
    batches = first(data, 12)  # more than two epochs
    for start in range(1, 12):
        (again,) = first(data, 1, start=start, position=batches[start - 1].position)
        assert_same(again, batches[start])


@pytest.mark.parametrize("form", FORMS)
def test_every_picture_comes_once_an_epoch_in_an_order_of_its_own(tmp_path: Path, encoder: Encoder, form: str) -> None:
    data = opened(FORMS[form](tmp_path / "set"), encoder, shuffled_pictures=6)
    names = [name for batch in first(data, 9, size=6) for name in batch.pictures]
    epochs = [names[start : start + NUM] for start in range(0, 3 * NUM, NUM)]
    assert all(len(set(epoch)) == NUM for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize("form", FORMS)
def test_ranks_share_the_batch_of_one_process(tmp_path: Path, encoder: Encoder, form: str) -> None:
    data = opened(FORMS[form](tmp_path / "set"), encoder, crop=Crop.RANDOM)
    encoder.batch_size = 2  # as much as a rank has, since a batch of another size may differ in its last bits
    shares = (first(data, 5, size=2, rank=rank, world=2) for rank in range(2))
    for whole, *parts in zip(first(data, 5), *shares, strict=True):
        assert torch.equal(whole.latents, torch.cat([part.latents for part in parts]))
        assert torch.equal(whole.text.embeddings, torch.cat([part.text.embeddings for part in parts]))
        assert whole.pictures == tuple(name for part in parts for name in part.pictures)
        assert all(whole.position == part.position for part in parts)
        assert all(torch.equal(whole.generator.get_state(), part.generator.get_state()) for part in parts)


def test_random_cuts_differ_and_centred_ones_do_not(tmp_path: Path, encoder: Encoder) -> None:
    folder = sets.write_folder(tmp_path / "set", sets.samples(1))
    gradient = Image.linear_gradient("L").resize((16, 64))
    gradient.save(folder / "0000.png")
    for crop, num in ((Crop.CENTER, 1), (Crop.RANDOM, 8)):
        (batch,) = first(opened(folder, encoder, crop=crop), 1, size=8)
        shown = {round(float(each.mean()), 3) for each in batch.latents}
        assert (len(shown) == 1) == (num == 1), crop


def test_a_picture_that_cannot_be_read_is_replaced_whatever_other_ranks_find(tmp_path: Path, encoder: Encoder) -> None:
    data = opened(
        sets.write_folder(tmp_path / "set", sets.samples(NUM, damaged=[3, 11])), encoder, max_corrupt_share=0.2
    )
    with pytest.warns(CorruptPicturesWarning, match=r"a picture is left out, as others will be: 00(03|11)"):
        whole = first(data, 5)
    names = Counter(name for batch in whole for name in batch.pictures)
    assert not names.keys() & {"0003.png", "0011.png"}
    with pytest.warns(CorruptPicturesWarning):
        parts = [first(data, 5, size=2, rank=rank, world=2) for rank in range(2)]
    for batch, *halves in zip(whole, *parts, strict=True):
        assert batch.pictures == tuple(name for half in halves for name in half.pictures)


def test_nothing_but_damage_ends_instead_of_going_on_for_ever(tmp_path: Path, encoder: Encoder) -> None:
    junk = sets.write_folder(tmp_path / "junk", sets.samples(3, damaged=range(3)))
    with (
        pytest.raises(CorruptPicturesError, match="none of 8 pictures can be read"),
        pytest.warns(CorruptPicturesWarning),
    ):
        first(opened(junk, encoder, max_corrupt_share=1.0), 1)
    bare = sets.write_tar(tmp_path / "bare.tar", [("0.png", sets.png(0))])
    with pytest.raises(CorruptPicturesError, match=r"a captioned picture, but is none: bare\.tar: 0 must have a"):
        first(opened(bare, encoder, max_corrupt_share=1.0), 1)


def test_a_place_is_needed_and_must_be_of_the_same_batches(tmp_path: Path, encoder: Encoder) -> None:
    data = opened(FORMS["folder"](tmp_path / "set"), encoder)
    with pytest.raises(UserError, match="batch 2 of a set that is read as it comes needs the position"):
        first(data, 1, start=2)
    (batch,) = first(data, 1)
    with pytest.raises(UserError, match="with 4 pictures of all processes, but 6 are asked for; keep `batch_size`"):
        first(data, 1, size=6, start=1, position=batch.position)


def test_what_comes_can_be_trained_on(tmp_path: Path, encoder: Encoder) -> None:
    """Autograd keeps inputs of weighted layers, which it does of no tensor that was made for inference alone."""
    (batch,) = first(opened(FORMS["folder"](tmp_path / "set"), encoder), 1)
    assert not batch.latents.is_inference()
    assert not batch.text.embeddings.is_inference()
