"""A run that was moved, with all that it was made of, goes on where that stands now."""

import shutil
from pathlib import Path

import pytest
import yaml

import nas.search.staff
from nas.config.extension import ChangedConfigError
from nas.export.source import source_of_run
from search_spaces.shapes import OPEN_CLIP_DIR
from tests.nas.searching import IdlePool, comparable_trace, read_json, search


def test_it_goes_on_elsewhere(run: Path, experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nas.search.staff, "make_pool", lambda *args, **kwargs: IdlePool())
    there = tmp_path / "there"
    there.mkdir()
    for name in ("table.json", "captions.txt", "experiment.yaml"):
        shutil.copy(experiment.parent / name, there / name)
    shutil.copytree(experiment.parent / "pictures", there / "pictures")
    shutil.copytree(experiment.parent / "model", there / "base")
    shutil.copytree(OPEN_CLIP_DIR, there / "judge")
    moved = Path(shutil.copytree(run, there / "run"))
    places = [f"model={there / 'base'}", f"clip.model={there / 'judge'}"]
    monkeypatch.chdir(there)
    search(Path("experiment.yaml"), Path("run"), overrides=["model=base", "clip={model: judge}"])
    assert comparable_trace(moved) == comparable_trace(run)
    before, now = (read_json(each / "architecture.json") for each in (run, moved))
    assert now["base"].pop("model") == "base"
    assert before["base"].pop("model") == "model"
    assert now == before
    kept = yaml.safe_load((moved / "config.yaml").read_text(encoding="utf-8"))
    assert (kept["model"], kept["clip"]["model"]) == (str(there / "base"), str(there / "judge"))
    assert kept["validation"]["captions"] == str(there / "captions.txt")
    assert source_of_run(moved).model.path == there / "base"

    table = (there / "table.json").read_text(encoding="utf-8")
    (there / "other.json").write_text(table.replace("arithmetic", "algebra"), encoding="utf-8")
    with pytest.raises(
        ChangedConfigError, match=r"other content .* stands at `latency_table` \(it was \w+ and is \w+\)"
    ):
        search(there / "experiment.yaml", moved, overrides=[*places, "latency_table=other.json"])
    assert yaml.safe_load((moved / "config.yaml").read_text(encoding="utf-8")) == kept
