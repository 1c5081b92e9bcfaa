"""Searches whose milliseconds come from no table: a formula, and this machine itself."""

from pathlib import Path
from typing import Any

import pytest

from nas.config.loading import ConfigError, load_config
from nas.config.resolving import resolve
from nas.export.source import source_of_run
from nas.runs.run import open_run
from nas.testing.playing import MacsMs
from tests.nas.searching import comparable_trace, search
from tests.nas.synthetic import small_config, small_space, write_experiment

FORMULA = {
    "name": "formula",
    "settings": {
        "model": "model",
        "device": "paper",
        "compute_unit": "npu",
        "ms_per_gmac": 100.0,
        "relative_error": 0.1,
    },
}


def config_with(folder: Path, source: dict[str, Any] | None, **settings: Any) -> Path:
    config = small_config(max_copies=0) | {"robust_training": {}}
    del config["latency_table"]
    return write_experiment(folder, config | settings | ({} if source is None else {"latency_source": source}))


def test_a_search_by_a_formula_finds_and_exports(tmp_path: Path) -> None:
    config = config_with(tmp_path, FORMULA)
    found = search(config, tmp_path / "run")
    assert found.scenario == "model_npu"
    assert found.target_met
    macs_ms = MacsMs(small_space())
    assert found.predicted_latency_ms < 0.94 * found.base_latency_ms
    assert found.base_latency_ms == pytest.approx(0.1 * macs_ms(small_space().base), rel=0.2)
    started = comparable_trace(tmp_path / "run")[0]
    assert "latency_source" in started["digests"]
    assert "latency_table" not in started["digests"]
    assert "a formula" in open_run(tmp_path / "run").events[0]["runtime"]["distrust"]
    source = source_of_run(tmp_path / "run")
    assert (source.architecture, source.price_ms) == (found.architecture, None)
    before = (tmp_path / "run" / "trace.jsonl").read_bytes()
    search(config, tmp_path / "run")
    assert (tmp_path / "run" / "trace.jsonl").read_bytes() == before


def test_a_search_by_live_measurement_goes_on_with_the_prices_that_it_saw(tmp_path: Path) -> None:
    source = {"name": "live", "settings": {"model": "model", "rounds": 2, "cache": "prices.jsonl"}}
    config = config_with(tmp_path / "live", source)
    experiment = resolve(load_config(config, overrides=["search.target_ratio=0.99"]))
    cache = tmp_path / "live" / "prices.jsonl"
    assert experiment.config.latency_source.settings["cache"] == str(cache), "beside the config that names it"
    prices = {a: experiment.price_ms(a) for a in (experiment.space.base, *_neighbours(experiment))}
    assert all(ms > 0 for ms in prices.values())
    lines = cache.read_text(encoding="utf-8").count("\n")
    again = resolve(load_config(config, overrides=["search.target_ratio=0.99"]))
    assert {a: again.price_ms(a) for a in prices} == prices
    assert cache.read_text(encoding="utf-8").count("\n") == lines, "nothing was measured again"


def _neighbours(experiment: Any) -> list[Any]:
    space = experiment.space
    return [action.apply(space.base) for action in space.removals(space.base)[:2]]


@pytest.mark.parametrize(
    ("source", "settings", "law"),
    [
        (None, {}, "latency_table: must be given, but is missing"),
        (FORMULA, {"latency_table": "table.json"}, "latency_source.name .formula. is another; give one of them"),
    ],
)
def test_exactly_one_source_is_given(tmp_path: Path, source: Any, settings: Any, law: str) -> None:
    with pytest.raises(ConfigError, match=law):
        load_config(config_with(tmp_path, source, **settings))


@pytest.mark.parametrize(
    ("source", "law"),
    [
        (
            {"name": "crystal_ball"},
            "`latency_source.name` must be one of table, weighted, worst_of, formula, live, but got 'crystal_ball'",
        ),
        ({"name": "formula", "settings": {"wish": 3}}, "wish"),
    ],
)
def test_a_wrong_source_is_named(tmp_path: Path, source: Any, law: str) -> None:
    with pytest.raises(ValueError, match=law):
        resolve(load_config(config_with(tmp_path, source)))
