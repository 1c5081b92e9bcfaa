"""Devices of a pool: a driver without a GPU, workers with one, and what Ray would refuse them is said before."""

from pathlib import Path
from typing import Any

import pytest
import torch

from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.workers.pool import check_pool
from nas.workers.settings import WorkerSettings
from nas.workers.worker import load_supernet

CLUSTER = ["execution.device=cuda", "workers.num_workers=2", "workers.gpus_per_worker=1"]


@pytest.mark.parametrize(
    ("device", "settings"),
    [
        ("cpu", {"num_workers": 2}),
        ("cuda", {"num_workers": 2, "gpus_per_worker": 1}),
        ("cuda", {"num_workers": 2, "gpus_per_worker": 0.5}),
        ("cuda:0", {"address": "auto", "gpus_per_worker": 1}),
        ("cuda:1", {"num_workers": 2, "gpus_per_worker": 2}),
    ],
)
def test_workers_that_see_their_device_need_nothing_of_the_driver(device: str, settings: dict[str, Any]) -> None:
    check_pool(WorkerSettings(**settings), device=device, training_device="cpu")


@pytest.mark.parametrize(
    ("device", "settings", "law"),
    [
        ("cuda", {"num_workers": 2}, r"'cuda', but `workers.gpus_per_worker` is 0, and Ray hides GPUs .* set it to 1"),
        ("cuda", {"address": "auto"}, r"'cuda', but `workers.gpus_per_worker` is 0"),
        ("cuda:1", {"num_workers": 2, "gpus_per_worker": 1}, r"'cuda:1', but Ray shows each worker only the 1 GPUs"),
        (
            "cuda:1",
            {"num_workers": 2, "gpus_per_worker": 0.5},
            r"only the 0.5 GPUs .* counted from cuda:0; choose cuda",
        ),
        ("cuda", {}, r"one process holds one model, but `execution.device` is cuda and `robust_training.device` cpu"),
    ],
)
def test_what_no_worker_could_have_is_refused_at_once(device: str, settings: dict[str, Any], law: str) -> None:
    with pytest.raises(ValueError, match=law):
        check_pool(WorkerSettings(**settings), device=device, training_device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("overrides", [["robust_training.device=cpu"], ["robust_training={}"]])
def test_a_head_node_without_a_gpu_drives_workers_that_have_one(experiment: Path, overrides: list[str]) -> None:
    resolved = resolve(load_config(experiment, overrides=[*CLUSTER, *overrides]))
    assert resolved.worker.execution.device == "cuda"
    supernet = load_supernet(resolved.worker, device=resolved.config.training_device)
    assert {parameter.device.type for parameter in supernet.all_parameters()} == {"cpu"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize(
    ("overrides", "law"),
    [
        (CLUSTER, r"^`robust_training.device` is 'cuda', but torch \S+ sees no CUDA device here; choose cpu"),
        (["execution.device=cuda"], "`execution.device` is 'cuda', but torch .* sees no CUDA device here"),
        (["robust_training.device=cuda"], "one process holds one model"),
    ],
)
def test_a_driver_that_lacks_what_it_needs_itself_says_so(experiment: Path, overrides: list[str], law: str) -> None:
    with pytest.raises(ValueError, match=law):
        resolve(load_config(experiment, overrides=overrides))


@pytest.mark.parametrize(
    ("overrides", "device"),
    [
        ([], "cpu"),
        (["execution.device=cuda"], "cuda"),
        (["execution.device=cuda", "robust_training={}"], "cuda"),
        (CLUSTER, "cuda"),
        ([*CLUSTER, "robust_training={}"], "cpu"),
        ([*CLUSTER, "robust_training.device=cuda:1"], "cuda:1"),
    ],
)
def test_the_driver_has_a_device_of_its_own_with_ray_alone(experiment: Path, overrides: list[str], device: str) -> None:
    assert load_config(experiment, overrides=overrides).training_device == device
