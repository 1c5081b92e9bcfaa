"""A space of another family than UNets: a stack of residual layers whose depths may change, stage by stage.

It shares no class with `search_spaces` but the sign of an action: what works with it knows only the door.
"""

import copy
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from search_spaces.actions import Sign

WIDTH = 4
PARAMS_PER_LAYER = WIDTH * WIDTH + WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """How many layers each stage has."""

    depths: tuple[int, ...]

    @property
    def arch_id(self) -> str:
        return hashlib.sha256(str(self.depths).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        return {"depths": list(self.depths)}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class DepthStep:
    """One layer of a stage less, or one more."""

    stage: int
    sign: Sign

    def __str__(self) -> str:
        return f"{self.sign}layer[{self.stage}]"

    @property
    def inverse(self) -> Self:
        return replace(self, sign=self.sign.opposite)

    def apply(self, architecture: Depths, /) -> Depths:
        depths = list(architecture.depths)
        depths[self.stage] += 1 if self.sign is Sign.COPY else -1
        return Depths(depths=tuple(depths))


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthSpace:
    """Every stage between no layer and one more than the base has."""

    base: Depths

    @property
    def digest(self) -> str:
        return self.base.arch_id

    @property
    def block_names(self) -> frozenset[str]:
        return frozenset(f"layer[{stage}]" for stage in range(len(self.base.depths)))

    def _possible(self, architecture: Depths, sign: Sign) -> tuple[DepthStep, ...]:
        actions = [DepthStep(stage=stage, sign=sign) for stage in range(len(self.base.depths))]
        return tuple(action for action in actions if self.why_not(action, architecture=architecture) is None)

    def removals(self, architecture: Depths, /) -> tuple[DepthStep, ...]:
        return self._possible(architecture, Sign.REMOVE)

    def copies(self, architecture: Depths, /) -> tuple[DepthStep, ...]:
        return self._possible(architecture, Sign.COPY)

    def why_not(self, action: DepthStep, /, *, architecture: Depths) -> str | None:
        try:
            self.check(action.apply(architecture))
        except ValueError as error:
            return str(error)
        return None

    def touched(self, action: DepthStep, /) -> frozenset[str]:
        return frozenset({str(action)[1:]})

    def takes_copy(self, action: DepthStep, /, *, architecture: Depths) -> bool:
        return architecture.depths[action.stage] > self.base.depths[action.stage]

    def check(self, architecture: Depths, /) -> None:
        for stage, (depth, own) in enumerate(zip(architecture.depths, self.base.depths, strict=True)):
            if not 0 <= depth <= own + 1:
                raise ValueError(f"stage {stage} must have between 0 and {own + 1} layers, but got {depth}")

    def sample(self, rng: np.random.Generator, /) -> Depths:
        return Depths(depths=tuple(int(rng.integers(own + 2)) for own in self.base.depths))

    def num_params(self, architecture: Depths, /) -> int:
        return PARAMS_PER_LAYER * sum(architecture.depths)

    def num_macs(self, architecture: Depths, /) -> int:
        layers = sum(depth * (stage + 1) for stage, depth in enumerate(architecture.depths))
        return 1_000_000 * WIDTH * WIDTH * (1 + layers)  # something stays whatever is removed

    def summary(self, architecture: Depths, /) -> str:
        return f"{sum(architecture.depths)} layers"


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.tanh(self.layer(x))


class DepthSupernet:
    """All layers that an architecture of the space may have, in one stack a stage."""

    def __init__(self, space: DepthSpace, /) -> None:
        self._stages = [nn.ModuleList(Residual() for _ in range(own + 1)) for own in space.base.depths]

    @contextmanager
    def switched(self, architecture: Depths, /) -> Iterator[nn.Module]:
        layers = [
            layer for stage, depth in zip(self._stages, architecture.depths, strict=True) for layer in stage[:depth]
        ]
        yield nn.Sequential(*layers)

    def materialise(self, architecture: Depths, /) -> nn.Module:
        with self.switched(architecture) as network:
            return copy.deepcopy(network)


def depth_space() -> DepthSpace:
    return DepthSpace(base=Depths(depths=(2, 3, 1, 2)))
