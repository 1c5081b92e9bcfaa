"""From a config to objects: targets, prices, and digests that change exactly when results may."""

from dataclasses import replace
from pathlib import Path

import pytest

from latency.pricing.pricer import Pricer
from nas.config.experiment import Experiment
from nas.config.loading import load_config
from nas.config.resolving import resolve
from search_spaces import Action
from tests.nas.synthetic import CONTEXT_TOKENS, FREE_BLOCKS, small_space, synthetic_ms, synthetic_table


@pytest.fixture
def resolved(experiment: Path) -> Experiment:
    return resolve(load_config(experiment))


def changed(experiment: Path, resolved: Experiment, *overrides: str) -> set[str]:
    """Names of the digests that overrides change."""
    other = resolve(load_config(experiment, overrides=overrides)).digests
    return {name for name, digest in resolved.digests.items() if other[name] != digest}


def test_an_architecture_costs_what_its_blocks_do(resolved: Experiment) -> None:
    architecture = Action.parse("-cross_attention[up.1,0]").apply(resolved.space.base)
    sites = resolved.space.sites(architecture, context_tokens=CONTEXT_TOKENS)
    assert resolved.price_ms(architecture) == pytest.approx(sum(synthetic_ms(site.signature) for site in sites))


def test_a_target_is_a_share_of_the_base_or_milliseconds(experiment: Path, resolved: Experiment) -> None:
    assert resolved.problem.target_latency_ms == pytest.approx(0.94 * resolved.price_ms(resolved.space.base))
    overrides = ["search.target_ratio=null", "search.target_latency_ms=8"]
    assert resolve(load_config(experiment, overrides=overrides)).problem.target_latency_ms == 8


def test_prices_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    space = small_space()
    price_ms = Pricer(synthetic_table(space), space=space, context_tokens=CONTEXT_TOKENS)
    first = price_ms(space.base)
    monkeypatch.setattr(type(space), "sites", lambda *args, **kwargs: pytest.fail("priced again"))
    assert price_ms(space.base) == first


@pytest.mark.parametrize(
    "override",
    ["sampling.num_steps=3", "sampling.guidance_scale=1", "num_threads=2", "execution.precision=bfloat16"],
)
def test_what_changes_scores_changes_the_protocols_digest(
    experiment: Path, resolved: Experiment, override: str
) -> None:
    assert changed(experiment, resolved, override) == {"config", "protocol"}


@pytest.mark.parametrize("override", ["validation.chunk_size=3", "seed=1", "validation.num_prompts=2"])
def test_other_prompts_and_batches_are_another_validation(
    experiment: Path, resolved: Experiment, override: str
) -> None:
    assert changed(experiment, resolved, override) == {"config", "validation"}


@pytest.mark.parametrize(
    "override", ["search.target_ratio=0.97", "robust_training.iterations=3", "search.max_copies=1"]
)
def test_what_does_not_leaves_scores_to_be_found_again(experiment: Path, resolved: Experiment, override: str) -> None:
    assert changed(experiment, resolved, override) == {"config"}


@pytest.mark.parametrize("override", ["workers.num_workers=2", "workers.placement=spread", "score_store=/scores"])
def test_who_scores_and_where_scores_lie_changes_nothing(experiment: Path, resolved: Experiment, override: str) -> None:
    assert changed(experiment, resolved, override) == set()


def test_captions_are_the_validation(experiment: Path, resolved: Experiment, tmp_path: Path) -> None:
    captions = tmp_path / "captions.txt"
    captions.write_text("a ring\na cross\na circle\n", encoding="utf-8")
    assert changed(experiment, resolved, f"validation.captions={captions}") == {"validation"}


def test_protected_blocks_are_the_problems(resolved: Experiment) -> None:
    assert resolved.problem.protected == frozenset(resolved.config.search.protected)
    assert len(resolved.problem.protected) == 15 - len(FREE_BLOCKS)


def test_paths_of_a_config_that_no_file_holds_are_the_working_directorys(
    experiment: Path, resolved: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(experiment.parent)
    validation = replace(resolved.config.validation, captions=Path("captions.txt"))
    found = resolve(replace(resolved.config, validation=validation, latency_table=Path("table.json")))
    assert found.config == resolved.config, "nothing relative is stored"
