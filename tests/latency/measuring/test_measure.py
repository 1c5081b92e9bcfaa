"""The torch edge: blocks of a real, tiny UNet, and its table."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import nn

from latency.backends.torch_eager import TorchEager
from latency.blocks.modules import Inputs, NextToNothing, isolated_blocks, whole_model
from latency.blocks.subnetworks import random_architectures
from latency.blocks.tasks import PrepareReport, Task
from latency.measuring.measure import measure_table
from latency.measuring.scenario_log import SampleLogError
from latency.pricing.scenario import Runtime
from latency.timing.interleaving import MeasureSettings, RoundReport
from search_spaces import BlockKind, space_from_config
from search_spaces.supernet import Supernet
from tests.latency.counting import Counting
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
            transformers = call.module.transformer_blocks
            assert isinstance(transformers, nn.ModuleList)
            assert len(transformers) == signature.layers
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
    reports, threads = list[RoundReport[Task]](), torch.get_num_threads()
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


def counted(supernet, backend, file, *, rounds=4, **options):
    settings = MeasureSettings(min_rounds=rounds, max_rounds=rounds, max_calls=3, target_cv=1e-9)
    return measure_table(
        supernet, backend=backend, base_model="tiny", device_name="here", context_tokens=TOKENS, num_subnetworks=2,
        settings=settings, samples_file=file, **options,
    )  # fmt: skip


def test_a_killed_measurement_goes_on_to_the_same_table(tiny, tmp_path):
    whole = Counting()
    expected = counted(tiny, whole, tmp_path / "whole.jsonl")

    def kill(report):
        if report.num_rounds == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        counted(tiny, Counting(), tmp_path / "killed.jsonl", on_round=kill)
    with (tmp_path / "killed.jsonl").open("a") as file:
        file.write('{"number": 3, "sta')
    rounds, resumed = [], Counting()
    table = counted(tiny, resumed, tmp_path / "killed.jsonl", on_round=lambda r: rounds.append(r.num_rounds))
    assert rounds == [3, 4]
    assert resumed.num_calls < whole.num_calls
    assert table.protocol.order == f"{expected.protocol.order}; 2 process starts"
    assert replace(table, protocol=expected.protocol) == expected


def test_kept_samples_make_the_table_again_without_measuring(tiny, tmp_path):
    file = tmp_path / "samples.jsonl"
    table = counted(tiny, Counting(), file)
    idle = Counting()
    assert counted(tiny, idle, file) == table
    assert (idle.num_prepared, idle.num_calls) == (0, 0)
    more = Counting()
    assert counted(tiny, more, file, rounds=5).protocol.rounds == 5
    assert more.num_prepared > 0


def test_kept_samples_of_another_measurement_are_refused(tiny, tmp_path):
    file = tmp_path / "samples.jsonl"
    counted(tiny, Counting(), file)
    kept, other = file.read_bytes(), Counting()
    other.runtime = Runtime(name="counting", version="2")
    with pytest.raises(SampleLogError, match=r"workload.batch is 1 instead of 2(?s:.*)runtime.version|runtime.version"):
        counted(tiny, other, file, batch=2)
    assert file.read_bytes() == kept
    assert other.num_prepared == 0


def test_weights_that_do_not_fit_into_memory_are_refused_before_anything_is_prepared(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("latency.measuring.measure.available_bytes", lambda: 1000)
    counted(tiny, Counting(), tmp_path / "shared.jsonl", rounds=1)
    backend = Counting()
    backend.copies_weights = True
    with pytest.raises(ValueError, match=r"0\.0 GiB of memory are free; measure fewer sub-networks"):
        counted(tiny, backend, tmp_path / "own.jsonl")
    assert backend.num_prepared == 0


def test_what_is_prepared_is_told_before(tiny, tmp_path):
    told, backend = list[PrepareReport](), Counting()
    counted(tiny, backend, None, rounds=1, on_prepare=told.append)
    assert [report.number for report in told] == list(range(1, len(told) + 1))
    assert {report.total for report in told} == {len(told)}
    assert len(told) == len(tiny.space.reachable_signatures(context_tokens=TOKENS)) + 3
    assert told[0].what == "conv_in 4->8 9x9"
    assert told[-1].what.startswith("whole UNet ")


def test_entering_the_runtime_is_subtracted_from_every_block_and_left_in_the_whole(tiny):
    free, paid = (counted(tiny, Counting(entering_ms=ms), None) for ms in (0.0, 0.25))
    for cheap, dear in zip(free.rows[:-1], paid.rows[:-1], strict=True):
        assert dear.signature == cheap.signature
        assert dear.median_ms == pytest.approx(cheap.median_ms, abs=1e-6)
        assert dear.note.endswith("; less 0.2500 ms of an empty call")
    assert paid.end_to_end.median_ms == pytest.approx(free.end_to_end.median_ms + 0.25)
    assert paid.rows[-1].median_ms == pytest.approx(free.rows[-1].median_ms + 0.25), "the rest holds it once"
    assert paid.check.subnetwork_mape == pytest.approx(free.check.subnetwork_mape, abs=1e-4)
    assert paid.protocol.estimator == f"{free.protocol.estimator}; blocks less the 0.2500 ms of an empty call"


def test_a_row_stays_positive_where_an_empty_call_takes_as_long_as_the_block(tiny):
    class Dear(Counting):
        def prepare(self, call):
            run = super().prepare(call)
            return (lambda: self.run(50.0)) if isinstance(call.module, NextToNothing) else run

    table = counted(tiny, Dear(entering_ms=1.0), None)
    assert min(row.median_ms for row in table.rows[:-1]) == 1e-6
    assert table.rows[-1].median_ms > 0


def test_small_blocks_have_as_many_modules_as_sites_and_as_many_calls(tiny, monkeypatch):
    sites = Counter(site.signature for site in tiny.space.sites(tiny.space.base, context_tokens=TOKENS))
    assert max(sites.values()) > 1
    backend = Counting()
    table = counted(tiny, backend, None)
    assert backend.num_prepared == len({id(module) for module in backend.modules})
    signatures = tiny.space.reachable_signatures(context_tokens=TOKENS)
    assert backend.num_prepared == 3 + sum(sites.get(signature, 1) for signature in signatures)
    for row in table.rows[:-1]:
        if (num := sites.get(row.signature, 1)) > 1:
            assert row.note.endswith(f", of {num} modules in turn")
            assert int(row.note.split()[3].rstrip(",")) % num == 0
    monkeypatch.setattr("latency.blocks.tasks.SMALL_BYTES", 0)
    large = Counting()
    again = counted(tiny, large, None)
    assert large.num_prepared == 3 + len(signatures)
    assert [row.median_ms for row in again.rows] == [row.median_ms for row in table.rows]
