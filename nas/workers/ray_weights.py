"""Weights in Ray's object store: a list of changes, of which every worker fetches those that it has not seen.

What changed is decided by digests of content, 16 bytes a tensor, so that the driver keeps no second copy of a model.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsChange:
    """Tensors that changed at once.

    Attributes:
        version: Counted from 1; 0 is what a fresh worker holds.
        names: Of the tensors.
        arrays: Reference to a mapping of these names to numpy arrays.
    """

    version: int
    names: frozenset[str]
    arrays: Any


class WeightsHistory:
    """The changes that lead a fresh worker to the current weights; a change that is wholly superseded is dropped.

    Args:
        base: What a fresh worker holds; None = unknown, so that all travels.
    """

    def __init__(self, base: Mapping[str, "torch.Tensor"] | None = None, /) -> None:
        self.version = 0
        self._changes: tuple[WeightsChange, ...] = ()
        self._digests = {name: _digest(tensor) for name, tensor in (base or {}).items()}

    def record(self, weights: Mapping[str, "torch.Tensor"], /) -> frozenset[str]:
        """Put what differs from the last weights into the object store, once.

        Returns:
            Names of what was put.
        """
        digests = {name: _digest(tensor) for name, tensor in weights.items()}
        changed = frozenset(name for name, digest in digests.items() if self._digests.get(name) != digest)
        if changed:
            # Dropped first, so that the store need not hold two models at a time.
            self._changes = tuple(change for change in self._changes if not change.names <= changed)
            arrays = ray.put({name: weights[name].detach().cpu().contiguous().numpy() for name in sorted(changed)})
            self.version += 1
            self._changes += (WeightsChange(version=self.version, names=changed, arrays=arrays),)
            self._digests |= digests
        return changed

    def since(self, version: int, /) -> tuple[WeightsChange, ...]:
        """Changes after a version, oldest first; together they lead to the current one."""
        return tuple(change for change in self._changes if change.version > version)


def _digest(tensor: "torch.Tensor") -> bytes:
    array = tensor.detach().cpu().contiguous().numpy()
    kind = f"{array.dtype}{array.shape}".encode()
    return hashlib.blake2b(array.data, digest_size=16, salt=hashlib.blake2b(kind, digest_size=16).digest()).digest()
