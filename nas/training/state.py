"""The state of a training on disk: what a killed one needs to go on bit for bit, in one file that stands whole or not.

A safetensors file. Its tensors are the weights under training, their moving average, AdamW's moments and the losses so
far; its header says in JSON how many steps were done, where the data go on, the scale of float16 gradients, what it is
a state of, and a checksum. Randomness needs no state: every step draws from generators of its own, made of the seed
and its number.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nas.training.optimizing import Moments
from search_spaces.files.durable.writing import whole
from search_spaces.files.strict_json import JsonError, parse_json
from search_spaces.files.user_error import UserError

_SELF: Final = "training"  # in the header: a JSON object
_WEIGHTS, _AVERAGE, _MOMENTS, _LOSSES = "weights", "average", "moments", "losses"


class StateError(UserError):
    """A state of training that cannot be gone on from: of another training, or damaged."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingState:
    """A training after some steps.

    Attributes:
        identity: What it is a state of, by name: architecture, settings, data, seed and more.
        step: Steps done.
        losses: Of each of them, float64.
        position: Where the data go on; None before the first step.
        scale: Of gradients in float16, as its scaler says it; empty in other precisions.
        weights: Those under training, by name.
        average: Their moving average; empty where there is none.
        moments: AdamW's, by name of the weight.
    """

    identity: Mapping[str, str]
    step: int
    losses: Tensor
    position: Mapping[str, Any] | None
    scale: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Tensor]
    average: Mapping[str, Tensor] = field(default_factory=dict)
    moments: Moments = field(default_factory=dict)


def write_state(path: Path, state: TrainingState, /) -> None:
    """Write a state, in place of the one that stands there.

    Raises:
        StorageError: The disk refuses; the earlier state is as it was.
    """
    tensors = {_LOSSES: state.losses.double()}
    for group, named in ((_WEIGHTS, state.weights), (_AVERAGE, state.average)):
        tensors |= {f"{group}/{name}": tensor for name, tensor in named.items()}
    for name, known in state.moments.items():
        tensors |= {f"{_MOMENTS}/{key}/{name}": tensor for key, tensor in known.items()}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {
        "identity": dict(state.identity),
        "step": state.step,
        "position": state.position,
        "scale": dict(state.scale),
    }
    header["checksum"] = _checksum(header, plain)
    with whole(path) as part:
        save_file(plain, part, metadata={_SELF: json.dumps(header, sort_keys=True)})


def read_state(path: Path, /, *, identity: Mapping[str, str]) -> TrainingState | None:
    """The state that stands at a path; None where there is none.

    Args:
        path: Where.
        identity: What it must be a state of.

    Raises:
        StateError: It is damaged, or of another training; the message says what differs.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
            header = parse_json((file.metadata() or {}).get(_SELF, "null"))
    except (SafetensorError, OSError, JsonError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(header, dict) or header.get("checksum") != _checksum(header, tensors):
        raise _damaged(path, "it is not what was written")
    if differing := [
        f"{name} (it is of {header['identity'].get(name)}, but this one is of {wanted})"
        for name, wanted in identity.items()
        if header["identity"].get(name) != wanted
    ]:
        raise StateError(
            f"{path} must be a state of the training that goes on from it, but is of another one: it differs in "
            f"{', '.join(differing)}; give the settings, data and model that it was written with, or another place, or "
            "delete it to train from the beginning"
        )
    moments: Moments = {}
    for full, tensor in _group(tensors, _MOMENTS).items():
        key, _, name = full.partition("/")
        moments.setdefault(name, {})[key] = tensor
    return TrainingState(
        identity=header["identity"],
        step=header["step"],
        losses=tensors[_LOSSES],
        position=header["position"],
        scale=header["scale"],
        weights=_group(tensors, _WEIGHTS),
        average=_group(tensors, _AVERAGE),
        moments=moments,
    )


def _group(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    prefix = f"{group}/"
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _damaged(path: Path, why: str) -> StateError:
    return StateError(f"{path} must be a whole state of a training, but is damaged ({why}); delete it to train anew")


def _checksum(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """Of all that a state says: against damage, not against forgery."""
    said = {name: header[name] for name in header if name != "checksum"}
    layout = [[name, str(each.dtype), list(each.shape)] for name, each in sorted(tensors.items())]
    total = zlib.crc32(json.dumps([said, layout], sort_keys=True).encode())
    for _, tensor in sorted(tensors.items()):
        total = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, total)
    return f"{total:08x}"
