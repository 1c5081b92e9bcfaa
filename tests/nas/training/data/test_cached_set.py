"""A set that is encoded once: the same files however often it was killed, and batches that the seed determines."""

import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from nas.training.data import shard_making
from nas.training.data.batches import Batch
from nas.training.data.cached_set import CachedSet
from nas.training.data.corruption import CorruptPicturesError, CorruptPicturesWarning
from nas.training.data.encoding import Encoder
from nas.training.data.opening import open_training_data
from nas.training.data.picture_files import read_picture
from nas.training.data.settings import DataSettings
from nas.training.data.shards import ShardError, mapped
from search_spaces.files.digests import folder_digest
from search_spaces.files.user_error import UserError
from search_spaces.shapes import PIPELINE_DIR
from tests.nas.training.data import sets

NUM = 21


class Killed(BaseException):
    """What no handler of errors catches."""


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(shard_making, "SHARD_PICTURES", 8)
    mapped.cache_clear()
    yield
    mapped.cache_clear()


def opened(path: Path, cache: Path, encoder: Encoder, **settings: Any) -> CachedSet:
    data = open_training_data(path, settings=DataSettings(**settings), encoder=encoder, cache=cache)
    assert isinstance(data, CachedSet)
    return data


def first(data: CachedSet, num: int, *, size: int = 6, start: int = 0, rank: int = 0, world: int = 1) -> list[Batch]:
    batches = data.batches(seed=3, size=size, caption_dropout=0.3, start=start, rank=rank, world=world)
    return list(islice(batches, num))


def test_batches_hold_the_pictures_and_their_captions(tmp_path: Path, encoder: Encoder, parts: PipelineParts) -> None:
    data = opened(sets.write_folder(tmp_path / "set", sets.samples(NUM)), tmp_path / "cache", encoder)
    assert len(data) == NUM
    batches, seen, dropped = first(data, 20), set[str](), 0
    empty = parts.embed([""], size_px=(16, 16)).embeddings[0]
    for batch in batches:
        for name, latents, told in zip(batch.pictures, batch.latents, batch.text.embeddings, strict=True):
            index = int(name.removesuffix(".png"))
            alone = encoder.latents([read_picture(sets.png(index), size_px=(16, 16))])[0]
            assert torch.allclose(latents, alone, atol=0.005), "float16"
            wanted = parts.embed([sets.caption(index)], size_px=(16, 16)).embeddings[0]
            is_dropped = torch.allclose(told, empty, atol=0.01)
            assert is_dropped or torch.allclose(told, wanted, atol=0.01)
            dropped += is_dropped
            seen.add(name)
    assert len(seen) == NUM
    assert 0.15 < dropped / (20 * 6) < 0.45


def test_embeddings_are_stored_once_per_caption(tmp_path: Path, encoder: Encoder) -> None:
    data = opened(sets.write_folder(tmp_path / "set", sets.samples(NUM)), tmp_path / "cache", encoder)
    assert data.contents.num_pictures == (8, 8, 5)
    assert data.contents.num_captions == (6, 0, 0), "five captions and the empty one"


def test_a_picture_with_several_captions_shows_all_of_them(tmp_path: Path, encoder: Encoder) -> None:
    data = opened(sets.write_coco(tmp_path / "set", sets.samples(2)), tmp_path / "cache", encoder)
    assert data.contents.several
    told = {tuple(each.flatten().tolist()) for batch in first(data, 10) for each in batch.text.embeddings}
    assert len(told) == 1 + 4


def test_batch_i_is_a_function_of_the_seed_and_i(tmp_path: Path, encoder: Encoder) -> None:
    data = opened(sets.write_folder(tmp_path / "set", sets.samples(NUM)), tmp_path / "cache", encoder)
    for one, other in zip(first(data, 6)[3:], first(data, 3, start=3), strict=True):
        assert torch.equal(one.latents, other.latents)
        assert torch.equal(one.text.embeddings, other.text.embeddings)
        assert one.pictures == other.pictures
        assert torch.equal(one.generator.get_state(), other.generator.get_state())


@pytest.mark.parametrize("form", ["folder", "coco"])
def test_ranks_share_the_batch_of_one_process(tmp_path: Path, encoder: Encoder, form: str) -> None:
    write = sets.write_folder if form == "folder" else sets.write_coco
    data = opened(write(tmp_path / "set", sets.samples(NUM)), tmp_path / "cache", encoder)
    shares = (first(data, 4, size=2, rank=rank, world=3) for rank in range(3))
    for whole, *parts in zip(first(data, 4), *shares, strict=True):
        assert torch.equal(whole.latents, torch.cat([part.latents for part in parts]))
        assert torch.equal(whole.text.embeddings, torch.cat([part.text.embeddings for part in parts]))
        assert whole.pictures == tuple(name for part in parts for name in part.pictures)
        assert all(torch.equal(whole.generator.get_state(), part.generator.get_state()) for part in parts)


@pytest.mark.parametrize("form", ["folder", "tar", "parquet"])
def test_a_set_is_the_same_however_often_its_making_was_killed(
    tmp_path: Path, encoder: Encoder, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = sets.samples(NUM, damaged=[2, 9])
    path = {
        "folder": lambda: sets.write_folder(tmp_path / "set", rows),
        "tar": lambda: sets.write_tar(tmp_path / "0.tar", sets.members(rows)),
        "parquet": lambda: sets.write_parquet(tmp_path / "0.parquet", rows),
    }[form]()
    with pytest.warns(CorruptPicturesWarning, match=r"2 of 21 pictures cannot be read and left out: .*2.* must be"):
        undisturbed = opened(path, tmp_path / "undisturbed", encoder, max_corrupt_share=0.1)
    latents, calls = Encoder.latents, [0]

    def dies(self: Encoder, pictures: object) -> object:
        calls[0] += 1
        if calls[0] % 3 == 0:
            raise Killed
        return latents(self, pictures)  # type: ignore[arg-type]

    monkeypatch.setattr(Encoder, "latents", dies)
    deaths = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CorruptPicturesWarning)
        while True:
            try:
                data = opened(path, tmp_path / "killed", encoder, max_corrupt_share=0.1)
                break
            except Killed:
                deaths += 1
    assert deaths > 1
    assert data.digest == undisturbed.digest
    assert folder_digest(tmp_path / "killed") == folder_digest(tmp_path / "undisturbed"), "bit for bit"


def test_a_set_that_stands_loads_no_model(tmp_path: Path, encoder: Encoder) -> None:
    path = sets.write_folder(tmp_path / "set", sets.samples(NUM))
    one = opened(path, tmp_path / "cache", encoder)

    def refuse() -> PipelineParts:
        raise AssertionError

    other = opened(path, tmp_path / "cache", Encoder(load=refuse, digest="bundled", size_px=(16, 16), batch_size=4))
    assert torch.equal(first(one, 1)[0].latents, first(other, 1)[0].latents)


def test_another_set_or_encoder_has_a_folder_of_its_own(tmp_path: Path, encoder: Encoder) -> None:
    path = sets.write_folder(tmp_path / "set", sets.samples(3))
    folders = {opened(path, tmp_path / "cache", encoder).folder}
    larger = Encoder(load=encoder.load, digest="bundled", size_px=(16, 24), batch_size=4)
    folders.add(opened(path, tmp_path / "cache", larger).folder)
    (path / "0000.png").write_bytes(sets.png(7))
    folders.add(opened(path, tmp_path / "cache", encoder).folder)
    encoder.digest = "another"
    folders.add(opened(path, tmp_path / "cache", encoder).folder)
    assert len(folders) == 4


def test_too_much_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, encoder: Encoder) -> None:
    path = sets.write_folder(tmp_path / "set", sets.samples(NUM, damaged=[4, 5]))
    with pytest.raises(
        CorruptPicturesError, match=r"at most 0\.01 .*, but 2 of 8 .*: 0004\.png must be .*; 0005\.png must"
    ):
        opened(path, tmp_path / "cache", encoder)
    with pytest.warns(CorruptPicturesWarning, match="2 of 21 pictures cannot be read and left out"):
        data = opened(path, tmp_path / "cache", encoder, max_corrupt_share=0.1)
    assert len(data) == NUM - 2
    with pytest.warns(CorruptPicturesWarning, match="2 of 21"):
        opened(path, tmp_path / "cache", encoder, max_corrupt_share=0.1)
    with pytest.raises(CorruptPicturesError, match="2 of 21"):
        opened(path, tmp_path / "cache", encoder, max_corrupt_share=0.05)


def test_a_set_of_nothing_but_damage_is_none(tmp_path: Path, encoder: Encoder) -> None:
    path = sets.write_folder(tmp_path / "set", sets.samples(2, damaged=[0, 1]))
    with pytest.raises(
        CorruptPicturesError, match="there must be a captioned picture, but none of 2 can be read: 0000"
    ):
        opened(path, tmp_path / "cache", encoder, max_corrupt_share=1.0)
    empty = sets.write_tar(tmp_path / "empty.tar", [])
    with pytest.raises(CorruptPicturesError, match="there must be a captioned picture, but none of 0 can be read"):
        opened(empty, tmp_path / "cache", encoder)


def test_a_damaged_shard_is_named(tmp_path: Path, encoder: Encoder) -> None:
    path = sets.write_folder(tmp_path / "set", sets.samples(NUM))
    data = opened(path, tmp_path / "cache", encoder)
    (data.folder / "contents.json").unlink()
    shard = data.folder / "00001.safetensors"
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(ShardError, match=r"00001\.safetensors must be a shard of encoded pictures, .*; remove it"):
        opened(path, tmp_path / "cache", encoder)
    shard.unlink()
    assert len(opened(path, tmp_path / "cache", encoder)) == NUM


@torch.no_grad()
@pytest.mark.parametrize(
    ("value", "law"), [(float("nan"), "others for 4 of 4 pictures"), (1e8, "latents must be numb")]
)
def test_an_autoencoder_that_gives_no_numbers_is_named_and_nothing_is_kept(
    value: float, law: str, tmp_path: Path
) -> None:
    parts = PipelineParts.load(ModelFolder(PIPELINE_DIR))
    parts.autoencoder.vae.quant_conv.bias.fill_(value)
    encoder = Encoder(load=lambda: parts, digest="broken", size_px=(16, 16), batch_size=4)
    with pytest.raises(UserError, match=law):
        opened(sets.write_folder(tmp_path / "set", sets.samples(NUM)), tmp_path / "cache", encoder)
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
