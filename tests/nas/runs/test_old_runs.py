"""What version 0.1.0 wrote, before the packages were cut into rooms, still opens: a run, spec, checkpoint, score store.

The run was extended once (`earlier/`), so that it holds every kind of event. Its paths stood for folders of the machine
that made it; `old_run` puts this machine's there, and the config's digest, which covers them, is made again.
"""

import json
import shutil
from pathlib import Path

import pytest
import yaml

import nas
from nas.config.identity.covered import placed_identity
from nas.config.loading import load_config, stored_values
from nas.racing.settings import RacingRule
from nas.runs.checkpoints.checkpoint import read_checkpoint
from nas.runs.checkpoints.weights import read_weights
from nas.runs.directory import RunDirectory
from nas.runs.frames.rounds import evaluation_frame, round_frame
from nas.runs.spec import read_spec
from nas.runs.trace import read_trace
from nas.scores.store import ScoreStore
from nas.values.rule import Rule
from search_spaces.files.digests import digest_of, folder_digest
from search_spaces.files.user_error import UserError
from tests.nas.searching import search

GOLDENS = Path(__file__).parent / "goldens"
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """The run as its own machine would show it."""
    run = tmp_path / "run"
    shutil.copytree(GOLDENS / "run_0_1_0", run)
    shutil.copy(GOLDENS / "run_0_1_0_table.json", tmp_path / "table.json")
    shutil.copy(GOLDENS / "run_0_1_0_captions.txt", tmp_path / "captions.txt")
    digests = {}
    for path in (run / "earlier" / "config-000.yaml", run / "config.yaml"):
        text = path.read_text(encoding="utf-8")
        config = yaml.safe_load(text.replace("{repository}", str(REPOSITORY)).replace("{experiment}", str(tmp_path)))
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        digests[path.name] = digest_of(config)
    lines = [json.loads(line) for line in (run / "trace.jsonl").read_text(encoding="utf-8").splitlines()]
    started = [line for line in lines if "digests" in line]
    for line, digest in zip(started, digests.values(), strict=True):
        line["digests"]["config"] = digest
    (run / "trace.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    spec = json.loads((run / "architecture.json").read_text(encoding="utf-8"))
    spec["digests"]["config"] = digests["config.yaml"]
    (run / "architecture.json").write_text(json.dumps(spec, indent=2) + "\n", encoding="utf-8")
    return run


def test_without_the_model_that_made_it_it_is_refused_and_stays_as_it_was(old_run: Path) -> None:
    """The bundled model that it searched has a successor: its search cannot go on, and what it found can be read."""
    before = folder_digest(old_run)
    config = old_run.parent / "again.yaml"
    config.write_bytes((old_run / "config.yaml").read_bytes())
    with pytest.raises(UserError, match=r"for another workload: `latent_height` must be 16, but the table has 12"):
        search(config, old_run)
    assert folder_digest(old_run) == before
    found, spec = read_spec(old_run / "architecture.json")
    assert found.arch_id == spec["arch_id"]
    assert nas.open_run(old_run).is_finished


def test_its_frames_hold_what_it_saw(old_run: Path) -> None:
    events = read_trace(old_run / "trace.jsonl")
    assert round_frame(events)["round"].tolist() == [0, 1, 2, 3, 4]
    assert evaluation_frame(events).groupby("round").size().to_dict() == {0: 5, 1: 3, 3: 2}


def test_its_scores_are_read(old_run: Path) -> None:
    frame = ScoreStore(old_run / "scores").frame()
    assert frame.groupby("arch_id").size().to_dict() == dict.fromkeys(frame["arch_id"], 3)
    assert frame["clip"].between(0.5, 1).all()


def test_its_config_is_read_as_it_stands(old_run: Path) -> None:
    """As the run's own it means what its version did; as an experiment of today it takes today's defaults."""
    text = RunDirectory(old_run).read_config()
    assert placed_identity(stored_values(old_run / "config.yaml")) == yaml.safe_load(text)
    assert stored_values(old_run / "config.yaml")["search"]["value"] == "paper"
    assert stored_values(old_run / "config.yaml")["validation"]["drawn_from"] == "first_lines"
    (old_run.parent / "again.yaml").write_text(text, encoding="utf-8")
    again = load_config(old_run.parent / "again.yaml", overrides=["search.value=paper", "racing.rule=elimination"])
    assert (again.search.value, again.racing.rule) == (Rule.PAPER, RacingRule.ELIMINATION)


def test_its_checkpoints_are_sound() -> None:
    found = read_checkpoint(GOLDENS / "checkpoint_0_1_0")
    assert found is not None
    assert found.held is not None
    weights = read_weights(found.held, digest=found.digest)
    assert weights is not None
    assert weights["a.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert weights["b.bias"].tolist() == [1.5, -2.0]
