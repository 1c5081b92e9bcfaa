"""What a process ran on: versions, commit and machine."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any, Final

LIBRARIES: Final = (
    "snapfusion-nas",
    "torch",
    "diffusers",
    "transformers",
    "open_clip_torch",
    "ray",
    "numpy",
    "safetensors",
)


def environment() -> dict[str, Any]:
    """Versions, commit and machine of this process."""
    import torch

    versions: dict[str, str | None] = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "python": platform.python_version(),
        "libraries": versions,
        "commit": commit_of(Path(__file__)),
        "machine": {"system": platform.system(), "processor": platform.machine(), "num_cpus": os.cpu_count()},
        "cuda_devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


def commit_of(file: Path, /) -> str | None:
    """The commit of the checkout that a file belongs to.

    None for a file of an installed package, even where its environment lies in somebody's repository: that repository
    does not track it.
    """
    git = ["git", "-C", str(file.parent)]
    try:
        for command in (["ls-files", "--error-unmatch", file.name], ["rev-parse", "HEAD"]):
            done = subprocess.run([*git, *command], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
