"""Shipped tables by their names, beside files."""

import shutil
from pathlib import Path

import pytest

import latency
from latency import find_table, read_latency_table, read_table, shipped_tables

FOLDER = Path(latency.__file__).parent / "tables"


@pytest.mark.parametrize("name", shipped_tables())
def test_a_name_means_the_shipped_file(name: str) -> None:
    assert read_latency_table(name) == read_table(FOLDER / f"{name}.json")


def test_every_shipped_file_has_a_name() -> None:
    assert {f"{name}.json" for name in shipped_tables()} == {path.name for path in FOLDER.iterdir()}


def test_a_file_wins_over_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, other = shipped_tables()[:2]
    monkeypatch.chdir(tmp_path)
    shutil.copy(FOLDER / f"{other}.json", tmp_path / name)
    assert find_table(name) == Path(name)
    assert read_latency_table(name) == read_latency_table(other)


@pytest.mark.parametrize("table", ["shapes_cpu", "nowhere/shapes_cpu_torch_eager", "shapes_cpu_torch_eager.json"])
def test_what_is_neither_is_refused_with_the_names(table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no latency table .*; make one with .*sd15_cpu_openvino, .*"):
        read_latency_table(table)
