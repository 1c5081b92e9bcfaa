"""What makes scores here, in words: the versions and the kind of machine whose last bits they have.

Equal words mean equal arithmetic, as far as a library or a machine says so of itself: on CPUs the instruction set that
torch chose, its maker and the number of threads; on GPUs their name.
"""

import platform
from importlib import metadata
from pathlib import Path
from typing import Final

import torch

_LIBRARIES: Final = ("torch", "diffusers", "open_clip_torch")
_CPU_INFO: Final = Path("/proc/cpuinfo")


def made_by(device: str, /) -> str:
    """What makes scores on a device of this process: "torch 2.14.0, ..., x86_64 AuthenticAMD AVX2, 1 thread"."""
    return ", ".join([*(f"{name} {_version(name)}" for name in _LIBRARIES), _machine(device)])


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "none"


def _machine(device: str) -> str:
    kind = torch.device(device)
    if kind.type == "cuda":
        return torch.cuda.get_device_name(kind)
    if kind.type != "cpu":
        return f"{platform.machine()} {kind.type}"
    threads = torch.get_num_threads()
    words = (platform.machine(), _cpu_vendor(), torch.backends.cpu.get_cpu_capability())
    return f"{' '.join(filter(None, words))}, {threads} thread{'s'[: threads > 1]}"


def _cpu_vendor() -> str:
    """Who made the CPU, by whose name numerical libraries choose their code; "" where the system does not say."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("vendor_id")), "")
