"""Our own backends keep the laws that plugins inherit, as far as their runtimes are installed."""

from inspect import unwrap
from typing import Any

import pytest
import torch

from latency.backends.torch_eager import TorchEager
from latency.exporters.cache import ExportCache
from latency.testing import BackendLaws


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """Not the session's: its files may hold the weights of another model, and outputs are compared here."""
    return ExportCache(tmp_path_factory.mktemp("exports"))


class TestTorchEager(BackendLaws):
    @pytest.fixture
    def backend(self):
        return TorchEager()


class TestOnnxRuntime(BackendLaws):
    @pytest.fixture
    def backend(self, exports):
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
        from latency.backends.onnx_runtime import OnnxRuntime

        return OnnxRuntime(cache=exports)


class TestOpenVino(BackendLaws):
    @pytest.fixture
    def backend(self, exports):
        pytest.importorskip("openvino")
        pytest.importorskip("onnxscript")
        from latency.backends.openvino import OpenVino

        return OpenVino(cache=exports)


@pytest.mark.slow
class TestExecutorch(BackendLaws):
    @pytest.fixture
    def backend(self, exports):
        pytest.importorskip("executorch")
        from latency.backends.executorch import Executorch

        return Executorch(cache=exports)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.*")
class TestTorchCompile(BackendLaws):
    @pytest.fixture
    def backend(self):
        from latency.backends.torch_compile import TorchCompile

        return TorchCompile()


@pytest.mark.gpu
class TestCuda(BackendLaws):
    atol = 1e-3

    @pytest.fixture
    def backend(self):
        from latency.backends.cuda import Cuda

        return Cuda()


class Halved(TorchEager):
    """A backend that computes something else."""

    def prepare(self, call):
        run = super().prepare(call)

        def halved():
            output: Any = run()
            return (output[0] if isinstance(output, tuple) else output) / 2

        return halved


def test_a_backend_that_computes_something_else_is_found_out():
    backend, laws = Halved(), BackendLaws()
    calls = unwrap(BackendLaws.calls)(laws, backend)
    with pytest.raises(AssertionError):
        laws.test_it_computes_what_torch_computes(backend, calls)
    assert torch.is_grad_enabled()
