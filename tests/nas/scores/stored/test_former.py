"""Stores of 0.1.0: every value as it was sealed, damage told, nothing that was not asked for; and new scores beside."""

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore, ScoreStoreError, ScoreStoreWarning, digest_of_prompts
from nas.scores.stored.sealed_table import unseal
from tests.nas.scores.stored.former_store import put_as_0_1_0

CHUNKS = [
    tuple(Prompt(caption=f'"é" {chunk} {i}\u2028', noise_seed=2**50 + 10 * chunk + i) for i in range(3))
    for chunk in range(2)
]
WEIGHTS, ARCHITECTURES = ("w0", "w1"), tuple(f"a{i:02d}" for i in range(40))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """160 files of scores: more than one thread reads."""
    path, rng = tmp_path_factory.mktemp("store") / "scores", np.random.default_rng(0)
    for weights in WEIGHTS:
        for arch_id in ARCHITECTURES:
            for prompts in CHUNKS:
                scores = rng.standard_normal(3).tolist()
                put_as_0_1_0(path, key(weights, arch_id, prompts), prompts=prompts, scores=scores)
    return path


def key(weights: str, arch_id: str, prompts: tuple[Prompt, ...]) -> ScoreKey:
    return ScoreKey(
        weights_digest=weights, arch_id=arch_id, protocol_digest="p0", prompts_digest=digest_of_prompts(prompts)
    )


def test_all_is_read_as_file_by_file(folder: Path) -> None:
    frame = ScoreStore(folder).frame()
    rows = [
        {name: ({"made_by": ""} | row)[name] for name in frame}
        for path in sorted(folder.rglob("*.scores.parquet"))
        for row in unseal(path.read_bytes(), name=f"{path.parent.name}/{path.name}").to_pylist()
    ]
    assert frame.to_dict("records") == rows
    assert len(rows) == len(WEIGHTS) * len(ARCHITECTURES) * 6


def test_what_is_not_asked_for_is_not_read(folder: Path, tmp_path: Path) -> None:
    """Damage in other files is not even noticed."""
    store = ScoreStore(shutil.copytree(folder, tmp_path / "scores"))
    for path in (tmp_path / "scores").rglob("*.scores.parquet"):
        if not (path.parent.name == "w1" and path.name.startswith(("a03-", "a07-"))):
            path.write_bytes(b"rotten")
    frame = store.frame(weights_digest=["w1"], arch_id=("a07", "a03"), columns=["clip", "arch_id", "caption"])
    assert list(frame) == ["clip", "arch_id", "caption"]
    whole = ScoreStore(folder).frame()
    expected = whole[(whole["weights_digest"] == "w1") & whole["arch_id"].isin(["a03", "a07"])]
    assert frame["clip"].tolist() == expected["clip"].tolist()
    assert frame["caption"].tolist() == expected["caption"].tolist()
    assert frame["arch_id"].tolist() == expected["arch_id"].tolist()
    with pytest.raises(ScoreStoreError, match=r"scores have the columns weights_digest, .*, clip, but got colour"):
        store.frame(columns=["clip", "colour"])


def test_any_file_that_is_not_as_it_was_sealed_is_left_out_and_named(folder: Path, tmp_path: Path) -> None:
    """Among many sound ones: a file under another's name, one cut off, and one with another score in it."""
    store = ScoreStore(shutil.copytree(folder, tmp_path / "scores"))
    first, second = (
        sorted((tmp_path / "scores" / "w0").glob(f"{arch_id}-*.scores.parquet")) for arch_id in ("a00", "a01")
    )
    shutil.copy(second[0], first[0])
    second[1].write_bytes(second[1].read_bytes()[:-9])
    with pytest.warns(ScoreStoreWarning) as told:
        frame = store.frame()
    assert len(frame) == len(ScoreStore(folder).frame()) - 6
    assert [str(warning.message).partition(" is damaged")[0] for warning in told] == [str(first[0]), str(second[1])]


def test_a_flipped_bit_is_never_a_score(folder: Path, tmp_path: Path) -> None:
    store, whole = ScoreStore(shutil.copytree(folder, tmp_path / "scores")), ScoreStore(folder).frame()
    path = sorted((tmp_path / "scores" / "w1").glob("a39-*.scores.parquet"))[0]
    content, rng = path.read_bytes(), np.random.default_rng(1)
    wanted = whole[(whole["weights_digest"] == "w1") & (whole["arch_id"] == "a39")]["clip"].tolist()
    for at in rng.integers(0, len(content), 60).tolist():
        path.write_bytes(content[:at] + bytes([content[at] ^ 1 << int(rng.integers(8))]) + content[at + 1 :])
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = store.frame(weights_digest="w1", arch_id="a39")["clip"].tolist()
        assert found == wanted or (found == wanted[3:] and told), "damage in what is not read need not be noticed"


def test_a_chunk_whose_first_file_is_damaged_is_read_from_the_others(folder: Path, tmp_path: Path) -> None:
    store = ScoreStore(shutil.copytree(folder, tmp_path / "scores"))
    for path in sorted((tmp_path / "scores" / "w0").glob("a00-*.scores.parquet")):
        path.write_bytes(b"")
    with pytest.warns(ScoreStoreWarning):
        assert len(store.frame(columns=["caption", "clip"])) == len(ScoreStore(folder).frame()) - 6


def test_two_scores_in_one_store_are_told_apart(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path / "scores")
    one = key("w0", "a0", CHUNKS[0])
    store.put(one, prompts=CHUNKS[0], scores=[1, 2, 3])
    store.put(replace(one, protocol_digest="p1"), prompts=CHUNKS[0], scores=[4, 5, 6], score="other")
    assert store.frame()["clip"].tolist() == [1, 2, 3]
    assert store.frame(score="other")["other"].tolist() == [4, 5, 6]
    assert store.frame(score="third").empty


def test_what_0_1_0_kept_is_served_and_new_scores_stand_beside_it(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(folder, tmp_path / "scores"))
    before = {each: each.read_bytes() for each in path.rglob("*.parquet")}
    store, one = ScoreStore(path), key("w0", "a00", CHUNKS[0])
    (kept,) = [tuple(rows["clip"]) for name, rows in store.frame(weights_digest="w0", arch_id="a00").groupby(
        "prompts_digest") if name == one.prompts_digest]  # fmt: skip
    assert store.get(one) == kept == store.put(one, prompts=CHUNKS[0], scores=[7, 8, 9])
    assert json.loads((path / "store.json").read_text()) == {"schema_version": 1}, "nothing new, so still what it was"
    new = replace(one, made_by="here")
    assert store.put(new, prompts=CHUNKS[0], scores=[7, 8, 9]) == (7, 8, 9) == ScoreStore(path).get(new)
    assert json.loads((path / "store.json").read_text()) == {"schema_version": 2}
    assert store.makers("w0") == ("", "here")
    assert ScoreStore(path).get(one) == kept
    assert len(ScoreStore(path).frame()) == len(ScoreStore(folder).frame()) + 3
    assert all(each.read_bytes() == content for each, content in before.items())
