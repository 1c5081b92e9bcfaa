"""A run's side files: written line by line, and read as far as they go with a sentence about the rest."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from nas.runs.records.lines import KINDS, Breakdown, Line, Losses, PricedBlock, Timing
from nas.runs.records.reading import read_records
from nas.runs.records.writing import LOSSES_PER_LINE, LossLines, write_line

BLOCK = PricedBlock(name="conv_in", stage="", position=-1, kind="conv_in", ms=None, num_params=12)
LINES: dict[type[Line], Line] = {
    Breakdown: Breakdown(arch_id="a0", predicted_latency_ms=1.5, blocks=(BLOCK,)),
    Timing: Timing(
        phase="scoring", round=0, worker="worker-0", arch_id="a0", action="-resnet[mid,0]", chunk=1, job=None,
        num_pictures=8, start=1.0, end=2.5,
    ),
    Losses: Losses(round=0, job=0, recovering=False, first_step=0, losses=(0.5, 0.25)),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read(kind: type[Line], tmp_path: Path) -> None:
    write_line(tmp_path, LINES[kind])
    records = read_records(tmp_path, kind)
    assert records.notices == ()
    assert records.rows == (asdict(LINES[kind]),)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_missing_torn_or_damaged_is_said_and_costs_nothing_else(kind: type[Line], tmp_path: Path) -> None:
    (notice,) = read_records(tmp_path, kind).notices
    assert notice.startswith(f"there is no {kind.file}: the run was begun by an older version")
    write_line(tmp_path, LINES[kind])
    with (tmp_path / kind.file).open("a", encoding="utf-8") as file:
        file.write('{rotten\n{"round": "one"}\n[]\n{"rou')
    records = read_records(tmp_path, kind)
    assert len(records.rows) == 1
    assert records.notices == (
        f"3 lines of {kind.file} are damaged and left out, the first is line 2",
        f"the last line of {kind.file} is torn and left out: it is being written, or its writer was killed",
    )


def test_work_that_was_done_twice_counts_as_it_was_done_last(tmp_path: Path) -> None:
    line = asdict(LINES[Timing])
    for start in (1.0, 2.0):
        write_line(tmp_path, Timing(**line | {"start": start}))
    write_line(tmp_path, Timing(**line | {"chunk": 2}))
    assert [(row["chunk"], row["start"]) for row in read_records(tmp_path, Timing).rows] == [(1, 2.0), (2, 1.0)]


def test_a_file_of_a_later_version_is_read_without_what_it_adds(tmp_path: Path) -> None:
    text = json.dumps(asdict(LINES[Losses]) | {"gradient": 1.0})
    (tmp_path / Losses.file).write_text(text + "\n", encoding="utf-8")
    assert read_records(tmp_path, Losses).rows == (asdict(LINES[Losses]),)


def test_a_folder_in_the_place_of_a_file_is_no_error(tmp_path: Path) -> None:
    (tmp_path / Losses.file).mkdir()
    assert read_records(tmp_path, Losses).rows == ()


def test_losses_come_in_lines_and_the_last_one_at_the_end() -> None:
    told: list[tuple[int, int]] = []
    lines = LossLines(lambda first, losses: told.append((first, len(losses))))
    for step in range(LOSSES_PER_LINE + 3):
        lines.add(float(step))
    lines.end()
    lines.end()
    assert told == [(0, LOSSES_PER_LINE), (LOSSES_PER_LINE, 3)]


def test_a_number_that_no_column_can_hold_is_damage(tmp_path: Path) -> None:
    write_line(tmp_path, Losses(round=0, job=0, recovering=False, first_step=2**63, losses=(1.0,)))
    read = read_records(tmp_path, Losses)
    assert read.rows == ()
    assert "1 line of training.jsonl are damaged" in read.notices[0]
