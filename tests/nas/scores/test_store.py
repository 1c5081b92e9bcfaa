"""Scores on disk: the same bits again, the first value for ever, for the same prompts only, damage never unnoticed."""

import json
import multiprocessing
import os
import shutil
import time
import warnings
from dataclasses import asdict, fields, replace
from io import BytesIO
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore, ScoreStoreError, ScoreStoreWarning, digest_of_prompts
from search_spaces.files.digests import digest_of

PROMPTS = (Prompt(caption="a red ring", noise_seed=1), Prompt(caption="a blue cross", noise_seed=2**56 - 1))
KEY = ScoreKey(weights_digest="w0", arch_id="a0", protocol_digest="p0", prompts_digest=digest_of_prompts(PROMPTS))
PICTURES = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)


def kept_pictures(store: ScoreStore) -> object:
    pictures = store.pictures(KEY)
    return None if pictures is None else pictures.tolist()


def journal(folder: Path) -> Path:
    return folder / "w0" / "scores.jsonl"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that holds scores and pictures under one key; tests copy it."""
    folder = tmp_path_factory.mktemp("kept") / "scores"
    ScoreStore(folder).put(KEY, prompts=PROMPTS, scores=[0.1, 0.2], pictures=PICTURES)
    return folder


@pytest.fixture
def folder(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "scores"))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2))
def test_scores_come_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, scores: list[float]) -> None:
    store = ScoreStore(tmp_path_factory.mktemp("scores"))
    put = store.put(KEY, prompts=PROMPTS, scores=scores)
    assert np.array(put).tobytes() == np.array(store.get(KEY)).tobytes() == np.array(scores).tobytes()


def test_pictures_come_back_bit_for_bit(folder: Path) -> None:
    back = ScoreStore(folder).pictures(KEY)
    assert back is not None
    assert back.dtype == np.uint8
    assert np.array_equal(back, PICTURES)


def test_nothing_is_found_before_it_is_put(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    assert store.get(KEY) is None
    assert store.pictures(KEY) is None
    store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2])
    assert store.pictures(KEY) is None


def test_the_first_value_stays_and_is_what_a_later_writer_gets(folder: Path) -> None:
    store = ScoreStore(folder)
    assert store.put(KEY, prompts=PROMPTS, scores=[0.8, 0.9], pictures=PICTURES[::-1]) == (0.1, 0.2)
    assert ScoreStore(folder).get(KEY) == (0.1, 0.2)
    assert kept_pictures(store) == PICTURES.tolist()


def test_pictures_may_come_after_the_scores(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2])
    assert store.put(KEY, prompts=PROMPTS, scores=[0.8, 0.9], pictures=PICTURES) == (0.1, 0.2)
    assert kept_pictures(store) == PICTURES.tolist()


def put_at_once(folder: Path, score: float, start: Barrier, told: "Queue[list[tuple[float, ...]]]") -> None:
    store, seen = ScoreStore(folder), []
    for number in range(30):
        start.wait()
        key = replace(KEY, arch_id=f"a{number}")
        seen.append(store.put(key, prompts=PROMPTS, scores=[score, score]))
    told.put(seen)


def test_of_processes_that_write_at_once_one_wins_and_all_see_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, told = context.Barrier(2), context.Queue()
    processes = [context.Process(target=put_at_once, args=(tmp_path, score, start, told)) for score in (0.25, 0.75)]
    for process in processes:
        process.start()
    one, other = told.get(timeout=60), told.get(timeout=60)
    for process in processes:
        process.join()
    assert one == other == [ScoreStore(tmp_path).get(replace(KEY, arch_id=f"a{number}")) for number in range(30)]
    assert set(one) <= {(0.25, 0.25), (0.75, 0.75)}
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("field", [field.name for field in fields(ScoreKey)])
def test_every_part_of_the_key_counts(folder: Path, field: str) -> None:
    assert ScoreStore(folder).get(ScoreKey(**asdict(KEY) | {field: "other"})) is None


@pytest.mark.parametrize(
    "prompts",
    [PROMPTS[::-1], PROMPTS[:1], (PROMPTS[0], replace(PROMPTS[1], noise_seed=3))],
    ids=["another order", "fewer", "other noise"],
)
def test_other_prompts_have_another_digest(prompts: tuple[Prompt, ...]) -> None:
    assert digest_of_prompts(prompts) != digest_of_prompts(PROMPTS)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_scores_that_are_not_finite_are_refused(tmp_path: Path, broken: float) -> None:
    store = ScoreStore(tmp_path)
    with pytest.raises(
        ScoreStoreError, match="scores must be finite, but 1 of 2 of architecture a0 are not; the model"
    ):
        store.put(KEY, prompts=PROMPTS, scores=[0.5, broken])
    assert store.get(KEY) is None


def test_half_a_line_is_never_read(folder: Path) -> None:
    """A process was killed in the middle of a write: nothing is lost but what it was writing."""
    store, other = ScoreStore(folder), replace(KEY, arch_id="a1")
    store.put(other, prompts=PROMPTS, scores=[0.5, 0.6])
    journal(folder).write_bytes(journal(folder).read_bytes()[:-20])
    store = ScoreStore(folder)
    assert store.get(KEY) == (0.1, 0.2)
    assert store.get(other) is None
    assert set(store.frame()["arch_id"]) == {"a0"}
    assert store.put(other, prompts=PROMPTS, scores=[0.3, 0.4]) == ScoreStore(folder).get(other) == (0.3, 0.4)


def damaged(folder: Path, how: str) -> None:
    """Damage the line of scores of `kept`."""
    lines = journal(folder).read_bytes().split(b"\n")
    lines[1] = {
        "cut off": lines[1][:-9],
        "emptied": b"",
        "other bytes": b"\0" * len(lines[1]),
        "another number": lines[1].replace(b"0.1", b"0.3"),
        "another architecture": lines[1].replace(b'"a0"', b'"a1"'),
        "another seal": lines[1][:-4] + b"00" + lines[1][-2:],
    }[how]
    journal(folder).write_bytes(b"\n".join(lines))


@pytest.mark.parametrize(
    "damage",
    ["cut off", "emptied", "other bytes", "another number", "another architecture", "another seal"],
)
def test_a_damaged_line_is_told_and_made_again(folder: Path, damage: str) -> None:
    damaged(folder, damage)
    store = ScoreStore(folder)
    with pytest.warns(
        ScoreStoreWarning, match=r"line 2 of .*scores\.jsonl is damaged \(not what was written\): left out"
    ):
        assert store.get(KEY) is None
    assert store.get(replace(KEY, arch_id="a1")) is None
    assert store.put(KEY, prompts=PROMPTS, scores=[0.3, 0.4]) == store.get(KEY) == (0.3, 0.4)
    assert kept_pictures(store) == PICTURES.tolist(), "another file, which is sound"


def test_scores_under_the_name_of_other_weights_are_damaged(folder: Path) -> None:
    (folder / "w1").mkdir()
    shutil.copy(journal(folder), folder / "w1" / "scores.jsonl")
    with pytest.warns(ScoreStoreWarning, match=r"lines 1, 2 of .*w1/scores\.jsonl are damaged"):
        assert ScoreStore(folder).get(replace(KEY, weights_digest="w1")) is None


def test_without_the_prompts_scores_are_served_and_left_out_of_frames(folder: Path) -> None:
    lines = journal(folder).read_bytes().split(b"\n")
    journal(folder).write_bytes(b"\n".join([lines[0].replace(b"ring", b"king"), *lines[1:]]))
    store = ScoreStore(folder)
    with pytest.warns(ScoreStoreWarning, match="line 1 of"):
        assert store.get(KEY) == (0.1, 0.2)
    with pytest.warns(ScoreStoreWarning, match=r"the prompts .* are damaged: left out"):
        assert store.frame().empty
    store.put(replace(KEY, arch_id="a1"), prompts=PROMPTS, scores=[0.3, 0.4])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert store.frame()["clip"].tolist() == [0.1, 0.2, 0.3, 0.4], "the next scores bring them"


def test_a_journal_that_was_replaced_is_read_anew(folder: Path, tmp_path: Path) -> None:
    store, other = ScoreStore(folder), ScoreStore(tmp_path / "other")
    assert store.get(KEY) == (0.1, 0.2)
    other.put(replace(KEY, arch_id="a1"), prompts=PROMPTS, scores=[0.5, 0.6])
    os.replace(journal(tmp_path / "other"), journal(folder))
    assert store.get(replace(KEY, arch_id="a1")) == (0.5, 0.6)
    assert store.get(KEY) is None


def test_a_thousand_scores_wait_for_the_disk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They outlive their process at once; what came of them is written down after `settle`."""
    synced: list[Path] = []
    monkeypatch.setattr("nas.scores.stored.journal.sync", synced.append)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    store = ScoreStore(tmp_path)
    for number in range(125):
        store.put(replace(KEY, arch_id=f"a{number}"), prompts=PROMPTS, scores=[0.1, 0.2])
    assert synced == [tmp_path], "the name of the new folder"
    store.settle()
    store.settle()
    assert synced == [tmp_path, journal(tmp_path), tmp_path / "w0"]
    monkeypatch.setattr(time, "monotonic", lambda: 1.5)
    for number in range(2):
        store.put(replace(KEY, arch_id=f"b{number}"), prompts=PROMPTS, scores=[0.1, 0.2])
    assert len(synced) == 3
    monkeypatch.setattr(time, "monotonic", lambda: 3.0)
    store.put(replace(KEY, arch_id="b2"), prompts=PROMPTS, scores=[0.1, 0.2])
    assert synced[3:] == [journal(tmp_path), tmp_path / "w0"], "after a second of a scoring that goes on"


def test_scores_of_two_kinds_of_machine_stand_beside_each_other(folder: Path) -> None:
    store, other = ScoreStore(folder), replace(KEY, made_by="torch 3 on a board")
    assert store.put(other, prompts=PROMPTS, scores=[0.3, 0.4]) == (0.3, 0.4)
    assert store.get(KEY) == (0.1, 0.2)
    assert store.makers("w0") == ("", "torch 3 on a board")
    assert store.frame()["made_by"].tolist() == ["", "", *["torch 3 on a board"] * 2]


def test_samples_are_the_small_pictures_unless_whole_ones_are_preferred(folder: Path) -> None:
    of: dict[str, Any] = {"weights_digest": "w0", "protocol_digest": "p0", "arch_id": "a0"}
    assert len(ScoreStore(folder).samples(**of)) == 2, "there are whole ones alone"
    ScoreStore(folder).put(KEY, prompts=PROMPTS, scores=[0.1, 0.2], samples=PICTURES[:1, :2, :2])
    for whole, pictures in ((False, PICTURES[:1, :2, :2]), (True, PICTURES)):
        found = ScoreStore(folder).samples(**of, whole=whole)
        assert [prompt for prompt, _ in found] == list(PROMPTS[: len(pictures)])
        assert [np.asarray(Image.open(BytesIO(png))).tolist() for _, png in found] == pictures.tolist()
    assert ScoreStore(folder).samples(**of | {"arch_id": "a1"}) == []


def test_nothing_is_written_where_nothing_may_be(folder: Path) -> None:
    def refuse() -> None:
        raise ScoreStoreError("another run began here")

    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    store = ScoreStore.own(folder, before_writing=refuse)
    assert store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2]) == (0.1, 0.2), "it was there"
    for key, pictures in ((KEY, PICTURES[::-1]), (replace(KEY, arch_id="a1"), None)):
        with pytest.raises(ScoreStoreError, match="another run began"):
            store.put(key, prompts=PROMPTS, scores=[0.1, 0.2], pictures=pictures)
    assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_damaged_pictures_are_set_aside_loudly_and_kept_anew(folder: Path) -> None:
    store = ScoreStore(folder)
    (path,) = folder.glob("*/*.pictures.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(ScoreStoreWarning, match="pictures.parquet is damaged"):
        assert store.pictures(KEY) is None
    store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2], pictures=PICTURES)
    assert kept_pictures(store) == PICTURES.tolist()


@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_changed_byte_never_changes_a_score(
    kept: Path, tmp_path_factory: pytest.TempPathFactory, place: float, bits: int
) -> None:
    folder = Path(shutil.copytree(kept, tmp_path_factory.mktemp("copy") / "scores"))
    content = bytearray(journal(folder).read_bytes())
    at = int(place * len(content))
    content[at] ^= bits
    journal(folder).write_bytes(content)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        scores = ScoreStore(folder).get(KEY)
    assert scores in (None, (0.1, 0.2))
    assert told or at == len(content) - 1, "without its end the last line is one that a killed process left"


def test_a_disk_that_does_not_give_back_what_it_took_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ScoreStore(tmp_path)
    monkeypatch.setattr(
        "nas.scores.stored.journal.append_lines",
        lambda path, documents, *, synced: path.write_bytes(b"rotten\n" * len(documents)),
    )
    with pytest.warns(ScoreStoreWarning), pytest.raises(ScoreStoreError, match="must read as it was written, but does"):
        store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2])


def test_a_store_says_its_schema(folder: Path) -> None:
    assert json.loads((folder / "store.json").read_text()) == {"schema_version": 2}


@pytest.mark.parametrize("mark", ['{"schema_version": 3}', '{"schema_version": 2, "more": 1}', "", "\udcff", "[]"])
def test_a_store_of_another_schema_is_refused_and_left_alone(folder: Path, mark: str) -> None:
    (folder / "store.json").write_bytes(mark.encode(errors="surrogateescape"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ScoreStoreError, match=r"must have schema_version 2, but .*store\.json holds '.*; give another"):
        ScoreStore(folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(
        ScoreStoreError, match=r"must be a score store or empty, but holds 'thesis.tex' and no store\.js"
    ):
        ScoreStore(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_frame_holds_a_row_per_prompt_with_all_it_was_scored_under(folder: Path) -> None:
    store = ScoreStore(folder)
    for changed in ({"weights_digest": "w1"}, {"protocol_digest": "p1"}):
        store.put(replace(KEY, **changed), prompts=PROMPTS, scores=[0.3, 0.4])
    frame = store.frame()
    assert list(frame) == [*asdict(KEY), "prompt_id", "caption", "noise_seed", "clip"]
    assert list(frame["clip"]) == [0.1, 0.2, 0.3, 0.4, 0.3, 0.4]
    first = frame.iloc[1].to_dict()
    assert first == {
        **asdict(KEY),
        "prompt_id": PROMPTS[1].prompt_id,
        "caption": "a blue cross",
        "noise_seed": 2**56 - 1,
        "clip": 0.2,
    }
    assert set(store.frame(weights_digest="w1")["weights_digest"]) == {"w1"}
    assert set(store.frame(protocol_digest="p1")["protocol_digest"]) == {"p1"}
    assert len(store.frame(weights_digest="w1", protocol_digest="p1")) == 0


def test_an_empty_frame_has_its_columns(tmp_path: Path, folder: Path) -> None:
    empty = ScoreStore(tmp_path / "empty").frame()
    assert empty.empty
    assert list(empty) == list(ScoreStore(folder).frame())


def test_a_digest_depends_on_content_not_on_order() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1, "b": [1, 2]}) != digest_of({"a": 1, "b": [2, 1]})


def test_another_score_names_its_own_column(folder: Path) -> None:
    store, other = ScoreStore(folder), replace(KEY, protocol_digest="p1")
    store.put(other, prompts=PROMPTS, scores=[3.0, 4.0], score="output_change")
    assert store.get(other, score="output_change") == (3.0, 4.0)
    frame = store.frame(score="output_change")
    assert list(frame) == [*asdict(KEY), "prompt_id", "caption", "noise_seed", "output_change"]
    assert list(frame["output_change"]) == [3.0, 4.0]
    assert list(store.frame()["clip"]) == [0.1, 0.2]


def test_a_key_of_one_score_gives_no_other(folder: Path) -> None:
    with pytest.raises(ScoreStoreError, match=r"must be the score 'output_change', but is clip; two"):
        ScoreStore(folder).get(KEY, score="output_change")


@pytest.mark.parametrize("name", ["arch_id", "caption", "round", "latency_ms", "two words", ""])
def test_a_name_that_names_no_column_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ScoreStoreError, match="the name of a score must be an identifier and none of actions, arch_id"):
        ScoreStore(folder).put(replace(KEY, arch_id="a1"), prompts=PROMPTS, scores=[1, 2], score=name)
