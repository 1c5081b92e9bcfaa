"""The torch edge: blocks of a real, tiny UNet, and its table."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from latency.backends.torch_eager import TorchEager
from latency.blocks import Inputs, isolated_blocks, whole_model
from latency.interleaving import MeasureSettings
from latency.measure import measure_table
from latency.subnetworks import random_architectures
from search_spaces import BlockKind, space_from_config
from search_spaces.supernet import Supernet
from tests.latency.strategies import CONFIG, TOKENS


@pytest.fixture(scope="module")
def supernet():
    torch.manual_seed(0)
    # 10x10 latents: stages 10, 5, 3, so one upsampling must be told its size
    unet = UNet2DConditionModel(**(CONFIG | {"sample_size": 10, "norm_num_groups": 4})).eval()
    return Supernet(unet, space=space_from_config(unet.config, max_copies=1))


def output_shape(result):
    return tuple((result[0] if isinstance(result, tuple) else result).shape)


@torch.inference_mode()
def test_every_reachable_signature_has_a_block_that_runs_with_its_own_shapes(supernet):
    inputs = Inputs(supernet.unet, batch=2, context_tokens=TOKENS, seed=0)
    calls = isolated_blocks(supernet, inputs, height=10, width=10)
    assert tuple(calls) == supernet.space.reachable_signatures(context_tokens=TOKENS)
    assert {s.kind for s in calls} == set(BlockKind) - {BlockKind.REST}
    for signature, call in calls.items():
        batch, channels, *size = output_shape(call.module(*call.args, **call.kwargs))
        assert (batch, channels) == (2, signature.out_channels)
        if signature.kind is BlockKind.UPSAMPLE:
            variant = signature.variant or f"{2 * signature.height}x{2 * signature.width}"
            assert "x".join(map(str, size)) == variant
        if signature.kind is BlockKind.CROSS_ATTENTION:
            assert len(call.module.transformer_blocks) == signature.layers
        parameters = {p.data_ptr() for p in call.module.parameters()}
        if signature.layers <= 1:
            assert parameters <= {p.data_ptr() for p in supernet.unet.parameters()}, "weights are shared, not copied"
        assert sum(p.numel() for p in call.module.parameters()) == signature.num_params
    assert supernet.architecture == supernet.space.base


@torch.inference_mode()
def test_a_whole_model_keeps_its_architecture_when_the_supernet_moves_on(supernet):
    inputs = Inputs(supernet.unet, batch=1, context_tokens=TOKENS, seed=0)
    (architecture,) = random_architectures(supernet.space, num=1, seed=3)
    with supernet.switched(architecture) as unet:
        call = whole_model(unet, inputs, space=supernet.space, height=10, width=10)
        expected = unet(*call.args, **call.kwargs)[0]
    assert torch.equal(call.module(*call.args, **call.kwargs)[0], expected)
    assert not torch.equal(supernet.unet(*call.args, **call.kwargs)[0], expected)


def test_random_architectures_differ_belong_to_the_space_and_are_seeded(supernet):
    found = random_architectures(supernet.space, num=12, seed=0)
    assert len(set(found)) == 12
    for architecture in found:
        supernet.space.check(architecture)
    assert found == random_architectures(supernet.space, num=12, seed=0)
    assert found != random_architectures(supernet.space, num=12, seed=1)


def test_a_measured_table_prices_the_whole_space_and_records_its_scenario(supernet):
    reports, threads = [], torch.get_num_threads()
    table = measure_table(
        supernet, backend=TorchEager(), base_model="tiny", device_name="here", batch=2, context_tokens=TOKENS,
        num_subnetworks=3, on_round=reports.append,
        settings=MeasureSettings(min_rounds=2, max_rounds=2, min_sample_ms=0.5, max_calls=2),
    )  # fmt: skip
    space = supernet.space
    assert table.missing(space.reachable_signatures(context_tokens=TOKENS)) == ()
    sites = space.sites(space.base, context_tokens=TOKENS)
    listed = [name for row in table.rows for name in row.sites]
    assert sorted(listed) == sorted(["rest", *(site.name for site in sites)])
    assert table.predict(sites).total_ms >= table.end_to_end.median_ms * (1 - 1e-6)
    assert table.check.sum_over_end_to_end == pytest.approx(table.base_ms / table.end_to_end.median_ms)
    assert table.check.num_subnetworks == 3
    assert table.check.subnetwork_mape is not None
    assert (table.workload.batch, table.workload.latent_height, table.workload.dtype) == (2, 10, "float32")
    assert table.workload.attention_impl == "AttnProcessor2_0"
    assert table.protocol.clock == "thread_cpu"
    assert table.protocol.rounds == 2 == len(reports)
    assert table.runtime.options == (("threads", "1"),)
    assert table.rows[0].note.startswith("calls per round: ")
    assert torch.get_num_threads() == threads
