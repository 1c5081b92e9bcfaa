"""Which captions decide, and which no decision sees: prefixes of one order, never the same, refused where they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.scores.drawing import PromptSets, draw_prompts, shown_captions
from nas.scores.prompts import DrawnFrom, ValidationSet, ValidationSettings
from nas.settings import read
from search_spaces.files.user_error import UserError

CAPTIONS = [f"caption {number}" for number in range(40)]


def drawn(folder: Path, captions: Sequence[str] = CAPTIONS, /, *, seed: int = 0, **settings: Any) -> PromptSets:
    path = folder / "captions.txt"
    path.write_text("\n".join(captions), encoding="utf-8")
    given = {"captions": str(path), "chunk_size": 4, **settings}
    return draw_prompts(read(ValidationSettings, given, name="validation"), seed=seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captions")


@given(few=st.integers(2, 40), many=st.integers(2, 40), seed=st.integers(0, 99))
def test_whole_chunks_of_fewer_prompts_begin_those_of_more(folder: Path, few: int, many: int, seed: int) -> None:
    """So that a longer set asks the store for its first chunks, and only the last, partial one is drawn again."""
    few, many = sorted((few, many))
    short, long = (drawn(folder, num_prompts=num, seed=seed).deciding for num in (few, many))
    assert long.prompts[:few] == short.prompts
    assert [long.chunk(i) for i in range(few // 4)] == [short.chunk(i) for i in range(few // 4)]


def test_prompts_are_a_sample_of_the_whole_file(folder: Path) -> None:
    places = [CAPTIONS.index(p.caption) for p in drawn(folder, num_prompts=10, seed=5).deciding.prompts]
    assert max(places) >= 20


def test_as_0_1_0_drew_the_first_lines_are_shuffled(folder: Path) -> None:
    sets = drawn(folder, num_prompts=10, drawn_from="first_lines")
    assert sets.deciding == ValidationSet.from_captions(CAPTIONS[:10], seed=0, chunk_size=4)
    assert DrawnFrom.FIRST_LINES == "first_lines"


@given(num=st.integers(2, 20), held_out=st.integers(2, 20), rule=st.sampled_from(DrawnFrom))
def test_what_is_held_out_never_decides_and_stays_while_the_deciding_ones_grow(
    folder: Path, num: int, held_out: int, rule: DrawnFrom
) -> None:
    sets = drawn(folder, num_prompts=num, held_out=held_out, drawn_from=str(rule))
    assert sets.held_out is not None
    assert len(sets.held_out.prompts) == held_out
    assert not {p.caption for p in sets.held_out.prompts} & {p.caption for p in sets.deciding.prompts}
    if rule is DrawnFrom.FILE:
        fewer = drawn(folder, num_prompts=2, held_out=held_out).held_out
        assert fewer == sets.held_out
    assert len(sets.captions) == num + held_out


def test_a_caption_that_stands_twice_is_never_held_out(folder: Path) -> None:
    twice = [*CAPTIONS[:30], *CAPTIONS[:20]]
    sets = drawn(folder, twice, num_prompts=2, held_out=8)
    assert sets.held_out is not None
    assert {p.caption for p in sets.held_out.prompts} <= set(CAPTIONS[20:30])


def test_the_final_prompts_begin_with_the_deciding_ones(folder: Path) -> None:
    sets = drawn(folder, num_prompts=8, final_prompts=20, held_out=20)
    assert sets.final is not None
    assert sets.final.prompts[:8] == sets.deciding.prompts
    assert len(sets.final.prompts) == 20
    assert len(set(sets.captions)) == 40


def test_a_file_of_its_own_may_not_share_captions_with_the_deciding_ones(folder: Path) -> None:
    other = folder / "other.txt"
    other.write_text("\n".join(["a new one", "another", *CAPTIONS[:7]]), encoding="utf-8")
    with pytest.raises(UserError, match=r"but 7 of .*other.txt are among the 40 .*'caption 0', .* and 2 more; take"):
        drawn(folder, num_prompts=40, held_out=2, held_out_captions=str(other))
    other.write_text("a new one\nanother", encoding="utf-8")
    sets = drawn(folder, num_prompts=40, held_out=2, held_out_captions=str(other))
    assert sets.held_out is not None
    assert {p.caption for p in sets.held_out.prompts} == {"a new one", "another"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_prompts": 41}, r"`num_prompts` is 41, but .*captions.txt holds 40 captions; add captions or ask for"),
        ({"num_prompts": 41, "drawn_from": "first_lines"}, r"`num_prompts` is 41, but .* holds 40 captions"),
        ({"num_prompts": 8, "final_prompts": 41}, r"`final_prompts` is 41, but .* holds 40 captions"),
        (
            {"num_prompts": 30, "held_out": 11},
            r"`validation.held_out` is 11, but .*, beside 30 that .* holds 10",
        ),
        ({"num_prompts": 8, "final_prompts": 8}, r"`final_prompts` \(8\) must be more than `num_prompts` \(8\)"),
        (
            {"num_prompts": 8, "held_out_captions": "x"},
            r"`held_out_captions` names a file, but `held_out`",
        ),
    ],
)
def test_too_few_captions_are_said_with_numbers(folder: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        drawn(folder, **settings)


def test_what_is_shown_are_the_first_prompts(folder: Path) -> None:
    settings = ValidationSettings(captions=folder / "captions.txt", num_prompts=10)
    first = [p.caption for p in draw_prompts(settings, seed=3).deciding.prompts]
    assert shown_captions(settings, seed=3, num=4) == first[:4]
    assert shown_captions(settings, seed=3, num=99) == first
