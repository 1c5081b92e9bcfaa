"""The backends of `nas latency` by name, ours and plugins': resolved here and nowhere else."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from latency.backends.backend import Backend, BackendKind, BackendSettings
from latency.plugins import Door, instance_of, missing_members, named
from search_spaces.files.user_error import PluginError, UserError

if TYPE_CHECKING:
    from latency.exporters.cache import ExportCache

GROUP: Final = "latency.backends"


class BackendName(StrEnum):
    """Runtimes that this machine may have."""

    TORCH_EAGER = "torch-eager"
    TORCH_COMPILE = "torch-compile"
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    EXECUTORCH = "executorch"
    CUDA = "cuda"
    CUDA_COMPILE = "cuda-compile"


def backend_door() -> Door[BackendKind]:
    """Ours and the plugins' backends."""
    check = instance_of(BackendKind, wanted="a `latency.backends.backend.BackendKind`")
    return Door(GROUP, noun="backend", option="`--backend`", ours=OURS, check=check)


def make_backend(name: str, /, *, threads: int, provider: str | None, cache: Path | None) -> Backend:
    """A backend.

    Args:
        name: Which: one of `BackendName`, or a plugin's.
        threads: Threads of its runtime on a CPU.
        provider: ONNX Runtime's execution provider or OpenVINO's device; None = the CPU.
        cache: Folder of exported blocks; None = in the user's cache folder.

    Raises:
        PluginError: There is no backend of this name, or its plugin is broken or made something else.
        ValueError: A setting that the backend does not have or cannot honour, or a missing optional package or device.
    """
    kind = backend_door().find(name)
    if provider is not None and not kind.has_provider:
        with_provider = [str(each) for each, ours in OURS.items() if ours.has_provider]
        raise UserError(f"`--provider` is a setting of {' and '.join(with_provider)}, not of {name}")
    if threads != 1 and not kind.has_threads:
        raise UserError(f"`--threads` is a setting of backends on the CPU, not of {name}")
    with named(f"backend {name!r}"):
        backend = kind.make(BackendSettings(threads=threads, provider=provider, cache=cache))
    if missing := missing_members(backend, Backend):
        raise PluginError(
            f"backend {name!r} must make a `latency.Backend`, but the {type(backend).__qualname__} that it makes "
            f"lacks {', '.join(missing)}"
        )
    return backend


def _exports(settings: BackendSettings) -> "ExportCache":
    from latency.exporters.cache import ExportCache, default_cache_folder

    return ExportCache(settings.cache or default_cache_folder())


def _torch_eager(settings: BackendSettings) -> Backend:
    from latency.backends.torch_eager import TorchEager

    return TorchEager(threads=settings.threads)


def _torch_compile(settings: BackendSettings) -> Backend:
    from latency.backends.torch_compile import TorchCompile

    return TorchCompile(threads=settings.threads)


def _onnxruntime(settings: BackendSettings) -> Backend:
    from latency.backends import onnx_runtime

    provider = settings.provider or onnx_runtime.CPU
    return onnx_runtime.OnnxRuntime(cache=_exports(settings), threads=settings.threads, provider=provider)


def _openvino(settings: BackendSettings) -> Backend:
    from latency.backends import openvino

    device = settings.provider or openvino.CPU
    return openvino.OpenVino(cache=_exports(settings), threads=settings.threads, device=device)


def _executorch(settings: BackendSettings) -> Backend:
    from latency.backends.executorch import Executorch

    return Executorch(cache=_exports(settings), threads=settings.threads)


def _cuda(settings: BackendSettings) -> Backend:
    from latency.backends.cuda import Cuda, CudaMode

    return Cuda(mode=CudaMode.EAGER)


def _cuda_compile(settings: BackendSettings) -> Backend:
    from latency.backends.cuda import Cuda, CudaMode

    return Cuda(mode=CudaMode.COMPILE)


OURS: Final[dict[str, BackendKind]] = {
    str(BackendName.TORCH_EAGER): BackendKind(about="torch as it is, on the CPU", make=_torch_eager),
    str(BackendName.TORCH_COMPILE): BackendKind(about="torch.compile on the CPU", make=_torch_compile),
    str(BackendName.ONNXRUNTIME): BackendKind(
        about="ONNX Runtime, with any execution provider", make=_onnxruntime, has_provider=True
    ),
    str(BackendName.OPENVINO): BackendKind(about="OpenVINO, on any of its devices", make=_openvino, has_provider=True),
    str(BackendName.EXECUTORCH): BackendKind(about="ExecuTorch with XNNPACK, on the CPU", make=_executorch),
    str(BackendName.CUDA): BackendKind(about="torch on a CUDA device", make=_cuda, has_threads=False),
    str(BackendName.CUDA_COMPILE): BackendKind(
        about="torch.compile on a CUDA device", make=_cuda_compile, has_threads=False
    ),
}
