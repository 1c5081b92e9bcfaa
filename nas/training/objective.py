"""The door of objectives: what a training step minimises, in two parts around the student's own forward pass.

What is random in a step is drawn for its whole batch, so that every process of a fleet draws the same; what does not
depend on the student (noisy pictures, what a teacher says of them) is worked out once, and the loss once for each
sub-network that the step trains.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from nas.pipelines.conditioning import Conditioning

Draws: TypeAlias = Mapping[str, Tensor]  # what is random in a step, by name: a row for each picture
Computing: TypeAlias = Callable[[], AbstractContextManager[object]]  # what forward passes run in: their precision


class Exercise(Protocol):
    """What the students of a step are asked, all the same."""

    def loss(self, trainee: Any, /, *, computing: Computing) -> Float[Tensor, ""]:
        """How wrong the current architecture's answer is, in float32, with gradients to its weights.

        Args:
            trainee: What is trained: a supernet, but in a training of something else.
            computing: What forward passes run in.
        """
        ...


class Objective(Protocol):
    """What is minimised."""

    def draws(self, shape: tuple[int, ...], /, *, generator: torch.Generator) -> Draws:
        """What is random in a step, on the CPU.

        Args:
            shape: Of the latents of the whole step: all processes, all parts.
            generator: Of the step.
        """
        ...

    def posed(
        self, latents: Float[Tensor, "n c h w"], /, *, draws: Draws, text: Conditioning, computing: Computing
    ) -> Exercise:
        """The exercise that some pictures of a step make; a teacher's answers carry no gradients.

        Args:
            latents: Of the pictures, on the device.
            draws: Their rows of the step's draws, on the device.
            text: Of their captions, on the device.
            computing: What forward passes run in.
        """
        ...
