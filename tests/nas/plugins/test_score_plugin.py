"""A score of a distribution of its own: installed beside us, it keeps our laws, and a search by it says its name."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from nas.evaluation.door import Score
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.runs.trace import read_trace
from nas.scores.prompts import ValidationSet
from nas.scores.store import ScoreStore
from nas.testing.scores import ScoreLaws
from search_spaces.shapes import PIPELINE_DIR
from search_spaces.shapes.renderer import render
from search_spaces.shapes.scenes import Group, Scene
from tests.nas.plugins.installing import nas
from tests.nas.searching import read_json
from tests.nas.synthetic import small_config, write_experiment
from tests.plugins.nas_plugin.colour_share import ColourShare

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "tests" / "plugins" / "nas_plugin"


class TestColourShare(ScoreLaws):
    @pytest.fixture
    def setting(self, small_setting: ScoreSetting) -> ScoreSetting:
        return small_setting

    @pytest.fixture
    def make(self) -> Callable[[ScoreSetting], Score]:
        return partial(ColourShare, tolerance=0.3)


def test_the_colour_counts_and_the_caption_says_which() -> None:
    def share(colour: str, caption: str) -> float:
        scene = Scene(groups=(Group(thing="square", colour=colour, size="large"),))
        picture = render(scene, rng=np.random.default_rng(0))
        setting = ScoreSetting(
            model=ModelFolder(PIPELINE_DIR),
            validation=ValidationSet.from_captions([caption], seed=0, chunk_size=1),
            protocol=SamplingProtocol(num_steps=1),
            latent_shape=(4, 16, 16),
        )
        pictures = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        (number,) = ColourShare(setting).judge(pictures, chunk=0)
        return number

    assert share("red", "a large red square") > 0.15
    assert share("blue", "a large red square") == 0
    assert share("red", "a square") == 0


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search by the plugin's score, without training and without CLIP."""
    settings = small_config() | {
        "robust_training": {},
        "score": {"name": "colour_share", "settings": {"tolerance": 0.4}},
    }
    del settings["clip"]
    return write_experiment(tmp_path_factory.mktemp("experiment"), settings)


@pytest.fixture(scope="module")
def run(installed: Path, config: Path) -> Path:
    """A finished search."""
    done = nas(installed, "search", config, "--out", config.parent / "run")
    assert done.returncode == 0, done.stderr
    assert "colour_share" in done.stdout
    assert "CLIP" not in done.stdout
    return config.parent / "run"


def test_the_trace_holds_its_scores(run: Path) -> None:
    events = read_trace(run / "trace.jsonl")
    assert events[0]["score"] == {"name": "colour_share", "unit": "share of pixels", "higher_is_better": True}
    assert "score" in events[0]["digests"]
    assert "clip" not in events[0]["digests"]
    stored = ScoreStore(run / "scores").frame(score="colour_share")
    base = next(event for event in events if event["event"] == "evaluation" and event["action"] is None)
    mine = stored[stored["arch_id"] == base["arch_id"]].drop_duplicates("prompt_id")
    assert mine["colour_share"].between(0, 1).all()
    assert mine["colour_share"].mean() == pytest.approx(base["clip"]["mean"])
    assert 0 < base["clip"]["mean"] < 1
    assert ScoreStore(run / "scores").frame().empty, "nothing in it is called CLIP"


def test_the_status_calls_it_by_its_name(run: Path) -> None:
    table = nas(None, "status", run)
    assert table.returncode == 0, table.stderr
    assert "colour_share" in table.stdout
    assert "CLIP" not in table.stdout
    summary = json.loads(nas(None, "status", run, "--format", "json").stdout)
    assert summary["score"]["name"] == "colour_share"


def test_a_finished_run_is_found_finished(installed: Path, config: Path, run: Path) -> None:
    before = (run / "trace.jsonl").read_bytes(), read_json(run / "architecture.json")
    done = nas(installed, "search", config, "--out", run)
    assert done.returncode == 0, done.stderr
    assert ((run / "trace.jsonl").read_bytes(), read_json(run / "architecture.json")) == before


def test_without_the_plugin_the_error_names_what_there_is(config: Path, tmp_path: Path) -> None:
    done = nas(None, "search", config, "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "`score.name` must be one of clip, output_change, " in done.stderr
    assert ", but got 'colour_share'; a plugin must be installed" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_setting_that_it_does_not_take_is_named_with_those_that_it_takes(
    installed: Path, config: Path, tmp_path: Path
) -> None:
    done = nas(installed, "search", config, "score.settings.shade=0.1", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "the score `colour_share` takes the settings tolerance, but got tolerance, shade" in done.stderr
