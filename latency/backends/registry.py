"""The backends of `nas latency` by name: resolved here and nowhere else."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latency import Backend


class BackendName(StrEnum):
    """Runtimes that this machine may have."""

    TORCH_EAGER = "torch-eager"
    TORCH_COMPILE = "torch-compile"
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    EXECUTORCH = "executorch"
    CUDA = "cuda"
    CUDA_COMPILE = "cuda-compile"


WITH_PROVIDERS = (BackendName.ONNXRUNTIME, BackendName.OPENVINO)
WITHOUT_THREADS = (BackendName.CUDA, BackendName.CUDA_COMPILE)


def make_backend(name: BackendName, /, *, threads: int, provider: str | None, cache: Path | None) -> "Backend":
    """A backend.

    Args:
        name: Which.
        threads: Threads of its runtime on a CPU.
        provider: ONNX Runtime's execution provider or OpenVINO's device; None = the CPU.
        cache: Folder of exported blocks; None = in the user's cache folder.

    Raises:
        ValueError: A setting that the backend does not have or cannot honour, or a missing optional package or device.
    """
    if provider is not None and name not in WITH_PROVIDERS:
        raise ValueError(f"`--provider` is a setting of {' and '.join(WITH_PROVIDERS)}, not of {name}")
    if threads != 1 and name in WITHOUT_THREADS:
        raise ValueError(f"`--threads` is a setting of backends on the CPU, not of {name}")
    match name:
        case BackendName.TORCH_EAGER:
            from latency.backends.torch_eager import TorchEager

            return TorchEager(threads=threads)
        case BackendName.TORCH_COMPILE:
            from latency.backends.torch_compile import TorchCompile

            return TorchCompile(threads=threads)
        case BackendName.CUDA | BackendName.CUDA_COMPILE:
            from latency.backends.cuda import Cuda, CudaMode

            return Cuda(mode=CudaMode.EAGER if name is BackendName.CUDA else CudaMode.COMPILE)
    from latency.exporters.cache import ExportCache, default_cache_folder

    exports = ExportCache(cache or default_cache_folder())
    match name:
        case BackendName.ONNXRUNTIME:
            from latency.backends import onnx_runtime

            return onnx_runtime.OnnxRuntime(cache=exports, threads=threads, provider=provider or onnx_runtime.CPU)
        case BackendName.OPENVINO:
            from latency.backends import openvino

            return openvino.OpenVino(cache=exports, threads=threads, device=provider or openvino.CPU)
        case BackendName.EXECUTORCH:
            from latency.backends.executorch import Executorch

            return Executorch(cache=exports, threads=threads)
