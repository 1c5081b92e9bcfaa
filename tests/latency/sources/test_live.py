"""Live measurement: each architecture once, kept on disk, and the same when a search goes on."""

import json

import pytest
import torch
from diffusers import UNet2DConditionModel

from latency import LatencyTableError
from latency.measuring.scenario_log import SampleLogError
from latency.sources import make_source
from latency.sources.live import LiveSource
from latency.sources.machine import LiveSettings, Machine
from latency.testing.backend_laws import TINY_UNET
from search_spaces import space_from_config
from tests.latency.counting import Counting
from tests.latency.sources.models import one_stage_model
from tests.latency.strategies import TOKENS

SPACE = space_from_config(one_stage_model().config, max_copies=1)
SMALLER = [action.apply(SPACE.base) for action in SPACE.removals(SPACE.base)[:2]]


class Bench:
    """Counting backends, one a process."""

    def __init__(self):
        self.made = []

    def __call__(self):
        self.made.append(Counting())
        return self.made[-1]

    @property
    def num_prepared(self):
        return sum(backend.num_prepared for backend in self.made)


def source(cache, bench, *, reports=None, **settings):
    machine = Machine(
        settings=LiveSettings(model="one stage", **({"rounds": 2} | settings)),
        model=one_stage_model(),
        backend=bench,
        cache=cache,
        on_report=(lambda report: reports.append(str(report))) if reports is not None else lambda report: None,
    )
    return LiveSource(machine=machine)


def test_each_architecture_is_measured_once_and_found_again(tmp_path):
    bench, reports = Bench(), list[str]()
    live = source(tmp_path / "p.jsonl", bench, reports=reports)
    prices = live.prices(SPACE, context_tokens=TOKENS)
    assert bench.num_prepared == 0, "nothing expensive before a price is asked for"
    assert not (tmp_path / "p.jsonl").exists()
    times = prices.milliseconds([*SMALLER, SMALLER[0]])
    weights = [SPACE.num_params(each) for each in SMALLER]
    assert times == pytest.approx([2**-12 * num for num in (*weights, weights[0])], rel=1e-6)
    assert bench.num_prepared == 3, "the base model and two others"
    assert "(1 of 3)" in reports[0]
    assert "(3 of 3): about " in reports[2]
    assert reports[2].endswith(" left")

    again = Bench()
    later = source(tmp_path / "p.jsonl", again).prices(SPACE, context_tokens=TOKENS)
    assert [later(each) for each in SMALLER] == list(times[:2])
    assert again.num_prepared == 0


def test_a_killed_process_leaves_whole_lines_and_the_first_price_stays(tmp_path):
    cache, bench = tmp_path / "p.jsonl", Bench()
    prices = source(cache, bench).prices(SPACE, context_tokens=TOKENS)
    first = prices(SMALLER[0])
    line = cache.read_bytes().splitlines(keepends=True)[-1]
    cache.write_bytes(cache.read_bytes() + line.replace(b'"ms": ', b'"ms": 9') + b'{"arch_id": "half')
    later = source(cache, bench).prices(SPACE, context_tokens=TOKENS)
    assert later(SMALLER[0]) == first
    later(SMALLER[1])
    assert all(json.loads(each) for each in cache.read_text().splitlines())


def test_two_processes_with_one_cache_see_the_same_prices(tmp_path):
    """Each has looked before the other measured anything, and their clocks differ."""
    cache = tmp_path / "p.jsonl"
    one, two = (source(cache, Bench()).prices(SPACE, context_tokens=TOKENS) for _ in range(2))
    first = one(SMALLER[0])
    cache.write_text(cache.read_text().replace(f'"ms": {first}', f'"ms": {first + 1}'))
    assert two(SMALLER[0]) == first + 1, "the first price counts"
    assert two(SMALLER[1]) == one(SMALLER[1])
    lines = cache.read_text().splitlines()
    assert len(lines) == 1 + 3, "one head, the base model and two others"
    assert len({json.loads(line)["arch_id"] for line in lines[1:]}) == 3
    other = source(cache, Bench(), rounds=3)
    cache.rename(tmp_path / "aside")
    late = other.prices(SPACE, context_tokens=TOKENS)
    (tmp_path / "aside").rename(cache)
    with pytest.raises(SampleLogError, match=r"protocol\.rounds is 2 instead of 3"):
        late(SMALLER[0])
    assert cache.read_text().splitlines() == lines


def test_another_machines_or_settings_prices_are_refused_by_name(tmp_path):
    cache = tmp_path / "p.jsonl"
    source(cache, Bench()).prices(SPACE, context_tokens=TOKENS)(SPACE.base)
    with pytest.raises(
        SampleLogError, match=r"(?s)protocol.rounds is 2 instead of 3.*workload.context_tokens is 16"
    ) as e:
        source(cache, Bench(), rounds=3).prices(SPACE, context_tokens=TOKENS + 1)
    assert "delete it to measure afresh" in str(e.value)
    lines = cache.read_text().splitlines()
    head = json.loads(lines[0])
    head["scenario"]["device"]["host"] = "elsewhere"
    cache.write_text("\n".join([json.dumps(head), *lines[1:], ""]))
    with pytest.raises(SampleLogError, match=r"device\.host is 'elsewhere' instead of"):
        source(cache, Bench()).prices(SPACE, context_tokens=TOKENS)
    cache.write_text("nonsense\n")
    with pytest.raises(SampleLogError, match="it must hold prices that were measured"):
        source(cache, Bench()).prices(SPACE, context_tokens=TOKENS)


def test_another_models_space_is_refused_before_anything_is_measured(tmp_path):
    bench = Bench()
    with pytest.raises(LatencyTableError, match="differ in stages"):
        source(tmp_path / "p.jsonl", bench).prices(space_from_config(TINY_UNET), context_tokens=TOKENS)
    assert bench.num_prepared == 0
    with pytest.raises(FileNotFoundError, match="make it first"):
        source(tmp_path / "none" / "p.jsonl", bench).prices(SPACE, context_tokens=TOKENS)


def test_torch_is_measured_on_this_machine(tmp_path):
    torch.manual_seed(0)
    UNet2DConditionModel(**one_stage_model().config).save_pretrained(tmp_path / "unet")
    live = make_source("live", settings={"model": "unet", "rounds": 2, "device_name": "here"}, folder=tmp_path)
    assert live.scenario.name == "unet_cpu"
    assert live.scenario.device == "here"
    assert live.distrust is None
    prices = live.prices(SPACE, context_tokens=TOKENS)
    latency = prices.latency(SPACE.base)
    assert 0 < latency.ms < 1000
    assert (tmp_path / "live_latency.jsonl").is_file()
    empty = SPACE.base
    while actions := SPACE.removals(empty):
        empty = actions[0].apply(empty)
    assert prices(empty) < latency.ms
