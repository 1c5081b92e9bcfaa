"""What each runtime is, takes and refuses; that it computes what torch computes is a law of `latency.testing`."""

import importlib
import json
import sys
import time
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from latency.backends.cuda import Cuda, CudaEventClock, CudaMode
from latency.backends.host import MatrixProducts, available_bytes, host_processor, processor_of
from latency.backends.torch_compile import TorchCompile
from latency.backends.torch_eager import TorchEager
from latency.blocks.modules import ModuleCall
from latency.exporters.cache import ExportCache, ExportedFileError
from latency.exporters.extras import MissingExtraError
from latency.exporters.to_onnx import OnnxExporter
from latency.timing.clock import ProcessCpuClock, ThreadCpuClock, WallClock
from search_spaces import BlockKind, BlockSignature
from search_spaces.files.digests import sha256_of


def onnx_runtime(cache, **settings):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from latency.backends.onnx_runtime import OnnxRuntime

    return OnnxRuntime(cache=cache, **settings)


def openvino(cache, **settings):
    pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")
    from latency.backends.openvino import OpenVino

    return OpenVino(cache=cache, **settings)


def executorch(cache, **settings):
    pytest.importorskip("executorch")
    from latency.backends.executorch import Executorch

    return Executorch(cache=cache, **settings)


def torch_eager(cache, **settings):
    return TorchEager(**settings)


def torch_compile(cache, **settings):
    return TorchCompile(**settings)


def values(output):
    """Any runtime's output as an array."""
    if isinstance(output, tuple):
        output = output[0]
    return output.numpy() if hasattr(output, "numpy") else np.array(output.data)


def assert_same_as_torch(backend, call):
    with backend.session():
        run = backend.prepare(call)
        outputs = [values(run()) for _ in range(2)]
        expected = values(call.module(*call.args, **call.kwargs))
    for output in outputs:
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("make", [onnx_runtime, openvino])
def test_a_damaged_file_of_the_cache_is_named_with_what_to_do(make, tmp_path):
    backend, call = make(ExportCache(tmp_path)), MatrixProducts().call()
    path = ExportCache(tmp_path).file_of(call, OnnxExporter())
    path.write_bytes(b"torn")
    backend.prepare(call)
    assert path.read_bytes() != b"torn", "what is not as it was exported is exported again"
    path.write_bytes(b"torn")
    seal = path.with_name(f"{path.stem}.sha256.json")
    seal.write_text(json.dumps({path.name: sha256_of(path)}))  # as an exporter might have written it
    with pytest.raises(ExportedFileError, match=rf"cannot take {path} .*; delete the file, which is then"):
        backend.prepare(call)
    path.unlink()
    backend.prepare(call)


@pytest.mark.parametrize("make", [onnx_runtime, openvino])
def test_inputs_stay_when_the_call_is_gone(make, tmp_path):
    backend, linear = make(ExportCache(tmp_path)), nn.Linear(64, 64).eval()
    numbers = torch.randn(2**16, 64)  # 16 MiB, which goes back to the operating system as soon as it is freed
    with backend.session():
        expected = linear(numbers).detach().clone()
        run = backend.prepare(ModuleCall(module=linear, args=(numbers.clone(),)))
        np.testing.assert_allclose(values(run()), expected, atol=1e-5)


def test_executorch_gives_torchs_output(tiny_calls, exports):
    call = next(c for s, c in tiny_calls.items() if isinstance(s, BlockSignature) and s.kind is BlockKind.RESNET)
    assert_same_as_torch(executorch(exports), call)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
def test_a_compiled_block_gives_torchs_output(tiny_calls):
    call = next(c for s, c in tiny_calls.items() if isinstance(s, BlockSignature) and s.kind is BlockKind.DOWNSAMPLE)
    assert_same_as_torch(TorchCompile(), call)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
def test_every_block_of_a_kind_is_compiled_however_many_there_are(tiny_calls):
    resnets = [c for s, c in tiny_calls.items() if isinstance(s, BlockSignature) and s.kind is BlockKind.RESNET]
    more = [ModuleCall(module=nn.Linear(n, n), args=(torch.ones(1, n),)) for n in range(1, 11)]
    for call in (*resnets, *more):
        assert_same_as_torch(TorchCompile(), call)


@pytest.mark.parametrize("make", [torch_eager, onnx_runtime, openvino, executorch])
def test_one_thread_is_timed_by_cpu_time_and_several_by_the_wall(make, exports):
    expected = ProcessCpuClock if make is openvino else ThreadCpuClock
    assert isinstance(make(exports, threads=1).clock, expected)
    assert isinstance(make(exports, threads=2).clock, WallClock)
    for threads in (0, 10**30):
        with pytest.raises(ValueError, match=f"`threads` must be at least 1 and at most 4096, but got {threads}"):
            make(exports, threads=threads)


@pytest.mark.parametrize("make", [onnx_runtime, executorch])
def test_with_one_thread_the_work_is_done_on_the_calling_thread(make, exports):
    backend = make(exports)
    torch.manual_seed(0)
    call = ModuleCall(module=nn.Conv2d(32, 32, 3, padding=1), args=(torch.ones(1, 32, 64, 64),))
    with backend.session():
        run = backend.prepare(call)
        run()
        start = time.thread_time(), time.process_time()
        for _ in range(20):
            run()
        of_thread, of_process = time.thread_time() - start[0], time.process_time() - start[1]
    assert of_thread > 0.9 * of_process


@pytest.mark.parametrize("make", [torch_eager, torch_compile, onnx_runtime, openvino, executorch])
def test_runtimes_say_what_they_are_and_sessions_leave_torch_as_it_was(make, exports):
    backend, threads = make(exports, threads=2), torch.get_num_threads()
    with backend.session():
        assert not torch.is_grad_enabled()
        assert torch.get_num_threads() == 2
    assert torch.is_grad_enabled()
    assert torch.get_num_threads() == threads
    runtime = backend.runtime
    assert runtime.name in ("torch-eager", "torch-compile", "onnxruntime", "openvino", "executorch")
    assert runtime.version
    assert runtime.torch == torch.__version__
    assert "2" in dict(runtime.options).values()
    assert list(runtime.options) == sorted(runtime.options)
    assert backend.copies_weights == (not runtime.name.startswith("torch"))
    assert backend.enters_runtime == (runtime.name != "torch-eager")
    assert bool(runtime.converter) == (runtime.name != "torch-eager")
    assert backend.clock.elapsed_ms(backend.reference()) > 0


def test_providers_and_devices_that_are_not_there_are_refused_with_those_that_are(exports):
    with pytest.raises(ValueError, match=r"CPUExecutionProvider.*; got 'AbacusExecutionProvider'"):
        onnx_runtime(exports, provider="AbacusExecutionProvider")
    with pytest.raises(ValueError, match=r"CPU.*; got 'ABACUS'"):
        openvino(exports, device="ABACUS")


@pytest.mark.parametrize(
    ("backend", "missing", "extra"),
    [
        ("onnx_runtime.OnnxRuntime", "onnx", "onnx"),
        ("onnx_runtime.OnnxRuntime", "onnxruntime", "onnx"),
        ("onnx_runtime.OnnxRuntime", "onnxscript", "onnx"),
        ("openvino.OpenVino", "openvino", "openvino"),
        ("executorch.Executorch", "executorch.exir", "executorch"),
        ("executorch.Executorch", "executorch.runtime", "executorch"),
    ],
)
def test_a_missing_package_is_named_with_what_installs_it(backend, missing, extra, monkeypatch, tmp_path):
    module, name = backend.split(".")
    make = getattr(importlib.import_module(f"latency.backends.{module}"), name)
    monkeypatch.setitem(sys.modules, missing, None)  # makes importing it fail, installed or not
    with pytest.raises(MissingExtraError, match=rf"must be importable.*pip install 'snapfusion-nas\[{extra}\]'"):
        make(cache=ExportCache(tmp_path))


@pytest.mark.parametrize(
    ("exporter", "missing", "extra"),
    [
        ("to_onnx.OnnxExporter", "onnxscript", "onnx"),
        ("to_executorch.ExecutorchExporter", "executorch.exir", "executorch"),
        ("to_coreml.CoremlExporter", "coremltools", "coreml"),
        ("to_litert.LitertExporter", "litert_torch", "litert"),
    ],
)
def test_a_missing_converter_is_named_with_what_installs_it(exporter, missing, extra, monkeypatch):
    module, name = exporter.split(".")
    make = getattr(importlib.import_module(f"latency.exporters.{module}"), name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'snapfusion-nas\[{extra}\]'"):
        make()


def test_a_core_ml_package_is_written(tiny_calls, exports):
    pytest.importorskip("coremltools")
    from latency.exporters.to_coreml import CoremlExporter

    call = next(c for s, c in tiny_calls.items() if isinstance(s, BlockSignature) and s.kind is BlockKind.RESNET)
    package = exports.file_of(call, CoremlExporter())
    assert (package / "Manifest.json").is_file()
    assert next(package.rglob("weight.bin")).stat().st_size > 0


def test_a_litert_file_is_written(tiny_calls, exports):
    pytest.importorskip("litert_torch")
    from latency.exporters.to_litert import LitertExporter

    call = next(c for s, c in tiny_calls.items() if isinstance(s, BlockSignature) and s.kind is BlockKind.RESNET)
    assert exports.file_of(call, LitertExporter()).read_bytes()[4:8] == b"TFL3"


def test_the_reference_kernel_is_the_same_work_in_every_run():
    first, second = MatrixProducts(), MatrixProducts()
    assert torch.equal(first(first.left), second(second.left))
    assert 0.5 < first(first.left).std() < 2, "numbers neither vanish nor explode"


def test_the_host_says_what_it_is():
    assert processor_of("cpu") == host_processor() != ""
    free = available_bytes()
    assert free is None or free > 2**20


def test_what_is_measured_on_a_gpu_is_told_by_the_gpus_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", {"cuda": "a large GPU"}.__getitem__)
    assert processor_of("cuda") == "a large GPU"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_without_a_device_is_refused():
    with pytest.raises(ValueError, match="torch must see a CUDA device"):
        Cuda()


@pytest.mark.parametrize(
    ("true_ms", "launch_ms", "calls"),
    [(10.0, 0.1, 1), (0.5, 0.1, 11), (0.001, 0.1, 52)],
)
def test_short_work_on_cuda_is_repeated_until_its_launch_no_longer_counts(true_ms, launch_ms, calls, monkeypatch):
    done: list[None] = []

    def between_events_ms(work, *, times):
        for _ in range(times):
            work()
        return launch_ms + times * true_ms

    monkeypatch.setattr(CudaEventClock, "_between_events_ms", staticmethod(between_events_ms))
    measured_ms = CudaEventClock().elapsed_ms(lambda: done.append(None))
    assert measured_ms == pytest.approx(true_ms + (launch_ms if calls == 1 else 0))
    assert len(done) == calls


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores")  # are not wanted where outputs are compared
@pytest.mark.parametrize("mode", CudaMode)
def test_cuda_gives_the_cpus_output_and_positive_times(mode, tiny_calls):
    backend = Cuda(mode=mode)
    call = next(c for s, c in tiny_calls.items() if isinstance(s, BlockSignature) and s.kind is BlockKind.RESNET)
    on_device = ModuleCall(module=call.module.to("cuda"), args=tuple(a.to("cuda") for a in call.args))
    with backend.session():
        run = backend.prepare(on_device)
        output: Any = run()
        output = output.cpu()
        assert backend.clock.elapsed_ms(run) > 0
        assert backend.clock.elapsed_ms(backend.reference()) > 0
        expected = call.module.to("cpu")(*call.args)
    np.testing.assert_allclose(output, expected, atol=1e-3)
