"""Scores on disk: the same bits again, the first value for ever, for the same prompts only, damage never unnoticed."""

import json
import multiprocessing
import os
import shutil
import warnings
from dataclasses import asdict, fields, replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.scores.prompts import Prompt
from nas.scores.store import ScoreKey, ScoreStore, ScoreStoreError, ScoreStoreWarning, digest_of_prompts
from search_spaces.files.digests import digest_of

PROMPTS = (Prompt(caption="a red ring", noise_seed=1), Prompt(caption="a blue cross", noise_seed=2**56 - 1))
KEY = ScoreKey(weights_digest="w0", arch_id="a0", protocol_digest="p0", prompts_digest=digest_of_prompts(PROMPTS))
PICTURES = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)


def kept_pictures(store: ScoreStore) -> object:
    pictures = store.pictures(KEY)
    return None if pictures is None else pictures.tolist()


def scores_file(folder: Path) -> Path:
    (path,) = folder.glob("*/*.scores.parquet")
    return path


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


def test_half_a_part_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    store = ScoreStore(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", killed)
        with pytest.raises(KeyboardInterrupt):
            store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2])
    assert store.get(KEY) is None
    assert store.frame().empty
    assert store.put(KEY, prompts=PROMPTS, scores=[0.3, 0.4]) == (0.3, 0.4)


@pytest.mark.parametrize("damage", ["truncated", "emptied", "other bytes", "of another key"])
def test_a_damaged_part_is_set_aside_loudly_and_made_again(folder: Path, damage: str) -> None:
    store, path = ScoreStore(folder), scores_file(folder)
    if damage == "of another key":
        other = replace(KEY, arch_id="a1")
        store.put(other, prompts=PROMPTS, scores=[0.5, 0.6])
        shutil.copy(next(path.parent.glob("a1-*.scores.parquet")), path)
    else:
        content = path.read_bytes()
        path.write_bytes({"truncated": content[:-9], "emptied": b"", "other bytes": b"\0" * len(content)}[damage])
    with pytest.warns(
        ScoreStoreWarning, match=r"a0-.* is damaged \(not .*\): moved to a0-.*\.damaged, to be made again"
    ):
        assert store.get(KEY) is None
    assert path.with_name(path.name + ".damaged").is_file()
    assert store.put(KEY, prompts=PROMPTS, scores=[0.3, 0.4]) == store.get(KEY) == (0.3, 0.4)
    assert kept_pictures(store) == PICTURES.tolist(), "the other file is sound"


def test_damaged_pictures_are_set_aside_loudly_and_kept_anew(folder: Path) -> None:
    store = ScoreStore(folder)
    (path,) = folder.glob("*/*.pictures.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(ScoreStoreWarning, match="pictures.parquet is damaged"):
        assert store.pictures(KEY) is None
    store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2], pictures=PICTURES)
    assert kept_pictures(store) == PICTURES.tolist()


@given(place=st.floats(0, 1, exclude_max=True), bits=st.integers(1, 255))
def test_a_changed_byte_never_changes_a_score_silently(
    kept: Path, tmp_path_factory: pytest.TempPathFactory, place: float, bits: int
) -> None:
    folder = Path(shutil.copytree(kept, tmp_path_factory.mktemp("copy") / "scores"))
    content = bytearray(scores_file(folder).read_bytes())
    content[int(place * len(content))] ^= bits
    scores_file(folder).write_bytes(content)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        scores = ScoreStore(folder).get(KEY)
    assert scores == (None if told else (0.1, 0.2))


def test_a_disk_that_does_not_give_back_what_it_took_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ScoreStore(tmp_path)
    monkeypatch.setattr("nas.scores.store.seal", lambda table, *, name: b"rotten")
    with pytest.warns(ScoreStoreWarning), pytest.raises(ScoreStoreError, match="must read as it was written, but does"):
        store.put(KEY, prompts=PROMPTS, scores=[0.1, 0.2])


def test_a_store_says_its_schema(folder: Path) -> None:
    assert json.loads((folder / "store.json").read_text()) == {"schema_version": 1}


@pytest.mark.parametrize("mark", ['{"schema_version": 2}', '{"schema_version": 1, "more": 1}', "", "\udcff", "[]"])
def test_a_store_of_another_schema_is_refused_and_left_alone(folder: Path, mark: str) -> None:
    (folder / "store.json").write_bytes(mark.encode(errors="surrogateescape"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ScoreStoreError, match=r"must have schema_version 1, but .*store\.json holds '.*; give another"):
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
    with pytest.raises(ScoreStoreError, match=r"must hold the score 'output_change', but .*, clip; two"):
        ScoreStore(folder).get(KEY, score="output_change")


@pytest.mark.parametrize("name", ["arch_id", "caption", "round", "latency_ms", "two words", ""])
def test_a_name_that_names_no_column_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ScoreStoreError, match="the name of a score must be an identifier and none of actions, arch_id"):
        ScoreStore(folder).put(replace(KEY, arch_id="a1"), prompts=PROMPTS, scores=[1, 2], score=name)
