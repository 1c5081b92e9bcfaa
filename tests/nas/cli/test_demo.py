"""`nas demo` is the whole way, at a small size here: pictures, search, export, before and after."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas.cli.app import app
from search_spaces.shapes import PIPELINE_DIR
from tests.nas.searching import read_json
from tests.nas.synthetic import shapes_space

SPACE = shapes_space()
KEPT = sorted({str(action)[1:] for action in SPACE.removals(SPACE.base)} - {"cross_attention[up.3,2]", "resnet[mid,1]"})
SMALL = (
    "validation.num_prompts=2", "validation.chunk_size=2", "sampling.num_steps=1", "search.max_rounds=1",
    "search.removals_per_round=1", "search.max_copies=0", "search.target_ratio=0.99", "racing.enabled=false",
    "robust_training.iterations=1", "robust_training.recovery_iterations=0", "robust_training.batch_size=2",
    f"search.protected={json.dumps(KEPT)}",
)  # fmt: skip


@pytest.mark.usefixtures("checked_here")
def test_the_demo_needs_nothing_but_an_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["demo", "--num-pictures", "8", *SMALL])
    assert told.exit_code == 0, told.output
    run = tmp_path / "runs" / "demo"
    assert len(list((tmp_path / "runs" / "demo-pictures").glob("*.png"))) == 8
    assert read_json(run / "architecture.json")["target_met"] is True
    assert (run / "before_after.png").is_file()
    assert (run / "export" / "model_index.json").is_file()
    assert not any((PIPELINE_DIR.parent / name).exists() for name in ("runs", "export")), "nothing in the installation"
