"""Training state on disk: model, average, optimizer and step as one safetensors file, written by rename."""

import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def save(
    path: Path,
    /,
    *,
    step: int,
    model: torch.nn.Module,
    average: dict[str, torch.Tensor] | None = None,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write everything that a resumed run needs; an interrupted write leaves the previous checkpoint."""
    tensors = {f"model.{k}": v.detach().clone().contiguous() for k, v in model.state_dict().items()}
    tensors |= {f"average.{k}": v.detach().clone().contiguous() for k, v in (average or {}).items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v.detach().clone().contiguous() for k, v in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(tensors, part, metadata={"step": str(step)})
    os.replace(part, path)


def restore(
    path: Path,
    /,
    *,
    model: torch.nn.Module,
    average: dict[str, torch.Tensor] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> int:
    """Load what `save` wrote and return its step; 0 when there is no checkpoint yet."""
    if not path.exists():
        return 0
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
        step = int(file.metadata()["step"])
    model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
    if average is not None:
        average.update({k[8:]: v for k, v in tensors.items() if k.startswith("average.")})
    if optimizer is not None:
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".")
                state.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return step
