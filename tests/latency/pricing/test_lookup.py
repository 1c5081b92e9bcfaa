"""Vectorised prices against predictions one by one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency import LatencyTable, MissingRowsError, WorkloadMismatchError
from latency.blocks.subnetworks import random_architectures
from latency.pricing.lookup import Pricing
from search_spaces import ArchitectureError, space_from_config
from search_spaces.known.architectures import SDXL_CONFIG
from tests.latency.strategies import TOKENS, row, scenario, small_space, table_of
from tests.leisure import examples

SPACE = small_space()
TABLE = table_of(SPACE)
PRICING = Pricing(TABLE, space=SPACE, context_tokens=TOKENS)


def predicted_ms(table, architecture, *, space=SPACE):
    return table.predict(space.sites(architecture, **table.workload.sizes)).total_ms


def evolved(space, choices):
    """An architecture that some actions lead to."""
    architecture = space.base
    for choice in choices:
        actions = [*space.removals(architecture), *space.copies(architecture)]
        architecture = actions[choice % len(actions)].apply(architecture)
    return architecture


@given(st.lists(st.lists(st.integers(0, 999), max_size=30), min_size=1, max_size=4))
@examples(60)
def test_prices_are_those_of_the_table(walks):
    architectures = [evolved(SPACE, choices) for choices in walks]
    genes = PRICING.genes(architectures)
    assert PRICING.milliseconds(genes) == pytest.approx([predicted_ms(TABLE, a) for a in architectures], rel=1e-12)
    assert [PRICING.architecture(each) for each in genes] == architectures


def test_deep_transformers_of_another_latent_size_are_priced_too():
    space = space_from_config(SDXL_CONFIG, max_copies=1)
    sizes = {"height": 40, "width": 24, "context_tokens": 77}
    rows = tuple(row(s, 0.1 + s.num_macs / 1e9) for s in space.reachable_signatures(**sizes))
    workload = replace(
        scenario()["workload"], latent_height=40, latent_width=24, context_tokens=77, cross_attention_dim=2048,
        temb_channels=1280,
    )  # fmt: skip
    table = LatencyTable(**scenario(workload=workload), rows=rows)
    pricing = Pricing(table, space=space)
    architectures = random_architectures(space, num=5, seed=0)
    expected = [predicted_ms(table, architecture, space=space) for architecture in architectures]
    assert pricing.milliseconds(pricing.genes(architectures)) == pytest.approx(expected, rel=1e-12)


def test_many_architectures_are_priced_at_once():
    num = 200_000
    rng = np.random.default_rng(0)
    base = PRICING.genes([SPACE.base])
    genes = np.repeat(base, num, axis=0) * rng.integers(0, 2, size=(num, base.shape[1]), dtype=np.int8)
    prices = PRICING.milliseconds(genes)
    assert prices.shape == (num,)
    for index in (0, 777, num - 1):
        assert prices[index] == pytest.approx(predicted_ms(TABLE, PRICING.architecture(genes[index])), rel=1e-12)
    assert PRICING.milliseconds(genes[:0]).shape == (0,)
    assert PRICING.genes([]).shape == (0, base.shape[1])


@pytest.mark.parametrize("value", [-1, 4, 99])
def test_genes_outside_of_the_space_are_refused_with_their_row_and_law(value):
    genes = np.repeat(PRICING.genes([SPACE.base]), 3, axis=0)
    genes[1, 2] = value
    with pytest.raises(ArchitectureError, match=r"1 of 3 rows of genes .* row 1: .*`resnets`"):
        PRICING.milliseconds(genes)


def test_a_copy_that_no_weights_fit_is_refused():
    genes = PRICING.genes([SPACE.base])
    last_up_resnet = genes.shape[1] - 2
    genes[0, last_up_resnet] = 2
    with pytest.raises(ArchitectureError, match=r"must be 0 or 1 because it changes 16 channels to 8, but got 2"):
        PRICING.milliseconds(genes)


def test_what_has_no_genes_is_refused():
    with pytest.raises(ArchitectureError, match=r"must be of shape \(n, \d+\), but got \(3,\)"):
        PRICING.milliseconds(np.zeros(3, dtype=int))
    with pytest.raises(ArchitectureError, match="genes, but got 3"):
        PRICING.architecture([1, 2, 3])
    stages = tuple(stage for stage in SPACE.base.stages if stage.place != "mid")
    with pytest.raises(ArchitectureError, match=r"price it with `LatencyTable\.predict`"):
        PRICING.genes([replace(SPACE.base, stages=stages)])


def test_a_table_of_another_workload_or_with_gaps_is_refused():
    with pytest.raises(WorkloadMismatchError, match="`context_tokens` must be 5"):
        Pricing(TABLE, space=SPACE, context_tokens=5)
    with pytest.raises(MissingRowsError):
        Pricing(replace(TABLE, rows=TABLE.rows[1:], end_to_end=None, check=None), space=SPACE)
