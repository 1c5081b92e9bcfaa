"""What version 0.1.0 wrote, before the packages were cut into rooms, still opens: a run, spec, checkpoint, score store.

The run replays to its last event without a picture made or a line written. It was extended once (`earlier/`), so that
it holds every kind of event. Its paths stood for folders of the machine that made it; `old_run` puts this machine's
there, and the config's digest, which covers them, is made again.
"""

import json
import shutil
from pathlib import Path

import pytest
import yaml

import nas.search.staff
from nas.config.extension import ChangedConfigError
from nas.config.loading import load_config
from nas.config.sections import placed_identity
from nas.runs.checkpoint import read_checkpoint
from nas.runs.directory import RunDirectory
from nas.runs.frames.rounds import evaluation_frame, round_frame
from nas.runs.spec import read_spec
from nas.runs.trace import read_trace
from nas.runs.weights import read_weights
from nas.scores.store import ScoreStore
from search_spaces.files.digests import digest_of
from tests.nas.searching import IdlePool, search

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


def test_it_replays_to_its_last_event(old_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nas.search.staff, "make_pool", lambda *args, **kwargs: IdlePool())
    trace, spec = (old_run / "trace.jsonl").read_bytes(), (old_run / "architecture.json").read_bytes()
    config = old_run.parent / "again.yaml"
    config.write_bytes((old_run / "config.yaml").read_bytes())
    found = search(config, old_run)
    assert (old_run / "trace.jsonl").read_bytes() == trace
    before, again = json.loads(spec), json.loads((old_run / "architecture.json").read_bytes())
    before["base"]["model"] = "shapes"  # the bundled model was called by its folder
    assert again == before | {"num_macs": again["num_macs"], "context_tokens": 16}  # 0.1.0 counted at 77
    assert again["num_macs"] < before["num_macs"]
    assert found.architecture == read_spec(old_run / "architecture.json")[0]


def test_it_replays_where_its_files_are_now(old_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its digests cover the places where its files were then: nothing that stands in its trace or spec changes."""
    monkeypatch.setattr(nas.search.staff, "make_pool", lambda *args, **kwargs: IdlePool())
    trace, spec = (old_run / "trace.jsonl").read_bytes(), json.loads((old_run / "architecture.json").read_bytes())
    there = old_run.parent / "there"
    there.mkdir()
    config = yaml.safe_load((old_run / "config.yaml").read_text(encoding="utf-8"))
    shutil.move(config["latency_table"], there / "phone.json")
    shutil.move(config["validation"]["captions"], there / "captions.txt")
    config["latency_table"], config["validation"]["captions"] = "phone.json", "captions.txt"
    (there / "moved.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    moved = Path(shutil.move(old_run, there / "run"))
    for _ in range(2):
        search(there / "moved.yaml", moved)
        assert (moved / "trace.jsonl").read_bytes() == trace
        again = json.loads((moved / "architecture.json").read_bytes())
        assert again["digests"] == spec["digests"]
        assert again["stages"] == spec["stages"]
        kept = yaml.safe_load((moved / "config.yaml").read_text(encoding="utf-8"))
        assert kept["latency_table"] == str(there / "phone.json")
        assert len(list((moved / "earlier").iterdir())) == 2
    before = (moved / "config.yaml").read_bytes()
    (there / "captions.txt").write_text("a ring\na cross\na square\n", encoding="utf-8")
    (there / "captions.txt").rename(there / "others.txt")
    with pytest.raises(ChangedConfigError, match=r"other content .* stands at `validation\.captions`"):
        search(there / "moved.yaml", moved, overrides=[f"validation.captions={there / 'others.txt'}"])
    assert (moved / "config.yaml").read_bytes() == before


def test_its_frames_hold_what_it_saw(old_run: Path) -> None:
    events = read_trace(old_run / "trace.jsonl")
    assert round_frame(events)["round"].tolist() == [0, 1, 2, 3, 4]
    assert evaluation_frame(events).groupby("round").size().to_dict() == {0: 5, 1: 3, 3: 2}


def test_its_scores_are_read(old_run: Path) -> None:
    frame = ScoreStore(old_run / "scores").frame()
    assert frame.groupby("arch_id").size().to_dict() == dict.fromkeys(frame["arch_id"], 3)
    assert frame["clip"].between(0.5, 1).all()


def test_its_config_is_read_as_it_stands(old_run: Path) -> None:
    text = RunDirectory(old_run).read_config()
    (old_run.parent / "again.yaml").write_text(text, encoding="utf-8")
    assert placed_identity(load_config(old_run.parent / "again.yaml").plain()) == yaml.safe_load(text)


def test_its_checkpoints_are_sound() -> None:
    found = read_checkpoint(GOLDENS / "checkpoint_0_1_0")
    assert found is not None
    assert found.held is not None
    weights = read_weights(found.held, digest=found.digest)
    assert weights is not None
    assert weights["a.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert weights["b.bias"].tolist() == [1.5, -2.0]
