"""A search algorithm of a distribution of its own: it keeps the laws, searches by name, goes on, and is listed."""

import json
from pathlib import Path

import pytest

from nas.config.algorithms import make_algorithm
from nas.config.loading import load_config
from nas.runs.run import open_run
from nas.testing.algorithms import AlgorithmLaws
from tests.nas.plugins.installing import nas
from tests.nas.synthetic import small_config, write_experiment
from tests.plugins.nas_plugin.one_shot import OneShotPruning, OneShotSettings


class TestOneShot(AlgorithmLaws):
    @pytest.fixture
    def algorithm(self) -> OneShotPruning:
        return OneShotPruning(OneShotSettings(spare=0.02))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search by the plugin's algorithm, without training."""
    settings = small_config() | {"robust_training": {}}
    settings["search"] = {
        "algorithm": "one_shot",
        "settings": {"spare": 0.01},
        "target_ratio": 0.96,
        "protected": settings["search"]["protected"],
    }
    return write_experiment(tmp_path_factory.mktemp("experiment"), settings)


@pytest.fixture(scope="module")
def run(installed: Path, config: Path) -> Path:
    done = nas(installed, "search", config, "--out", config.parent / "run")
    assert done.returncode == 0, done.stderr
    assert "target met" in done.stdout
    return config.parent / "run"


def test_its_run_is_like_any_other(run: Path) -> None:
    opened = open_run(run)
    assert opened.is_finished
    assert opened.config["search"]["algorithm"] == "one_shot"
    assert opened.spec["target_met"]
    assert opened.spec["actions"], "something was removed"
    assert len(opened.evaluations()) == 5
    assert "finished, converged" in nas(None, "status", run).stdout


def test_a_finished_run_goes_on_with_a_tighter_target_alone(installed: Path, config: Path, run: Path) -> None:
    refused = nas(installed, "search", config, "search.settings.spare=0.5", "--out", run)
    assert refused.returncode == 2
    assert "`search.settings` may not change" in refused.stderr
    before_ms = open_run(run).spec["predicted_latency_ms"]
    done = nas(installed, "search", config, "search.target_ratio=0.85", "--out", run)
    assert done.returncode == 0, done.stderr
    after = open_run(run)
    assert after.spec["predicted_latency_ms"] < before_ms
    assert [event["event"] for event in after.events].count("search_extended") == 1


def test_it_is_listed_beside_ours(installed: Path) -> None:
    rows = {(row["kind"], row["name"]): row for row in json.loads(nas(installed, "plugins", "--format", "json").stdout)}
    assert rows["search algorithm", "one_shot"]["from"] == "nas-plugin-of-the-tests 0.0.1"
    assert rows["score", "colour_share"]["about"].startswith("The share of pixels")
    assert rows["search algorithm", "evolving"]["from"] == "snapfusion-nas"
    assert {kind for kind, _ in rows} == {"search algorithm", "score", "latency source", "backend", "importer"}
    assert not [row for row in rows.values() if row["problem"]]


def test_an_unknown_name_lists_what_there_is(config: Path) -> None:
    search = load_config(config).search
    with pytest.raises(ValueError, match=r"`search\.algorithm` must be one of evolving, .*but got 'one_shot'"):
        make_algorithm(search)


def test_its_settings_are_checked_all_at_once(installed: Path, config: Path, tmp_path: Path) -> None:
    done = nas(installed, "search", config, "search.settings={spare: 2, shots: 3}", "--out", tmp_path / "run")
    assert done.returncode == 2
    assert "search.settings has 2 problems" in done.stderr
    assert "spare: must be less than 1, but got 2" in done.stderr
    assert "shots: there is no such setting; choose among spare" in done.stderr
    assert not (tmp_path / "run").exists()
