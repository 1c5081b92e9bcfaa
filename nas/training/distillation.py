"""Learning from the original UNet: its predictions and its stages' features, as BK-SDM does (Kim et al. 2023).

A student of fewer blocks has the stages of its teacher, and what each stage gives has the same shape; so the features
of stages are compared one by one, at no layer of its own.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from nas.pipelines.conditioning import Conditioning
from search_spaces.supernet import Supernet

Features = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """What the teacher says of one task.

    Attributes:
        predicted: Its prediction.
        features: What each of its stages gives, by place; none when features do not count.
    """

    predicted: Float[Tensor, "n c h w"]
    features: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distillation:
    """A teacher, and how much its lessons count.

    Attributes:
        teacher: The original UNet; its weights stay as they are.
        outputs: Times the mean squared difference of predictions.
        features: Times the mean squared difference of features, summed over stages.
    """

    teacher: Supernet
    outputs: float = 0.0
    features: float = 0.0

    def lesson(self, noisy: Float[Tensor, "n c h w"], timesteps: Tensor, /, *, text: Conditioning) -> Lesson:
        """What the teacher says."""
        with torch.no_grad(), watched(self.teacher if self.features else None) as features:
            predicted = self.teacher.unet(noisy, timesteps, **text.arguments()).sample
        return Lesson(predicted=predicted.float(), features=features)

    def loss(self, predicted: Float[Tensor, "n c h w"], features: Mapping[str, Tensor], /, *, lesson: Lesson) -> Tensor:
        """How far a student is from a lesson.

        Args:
            predicted: Its prediction.
            features: What its stages give, as `watched` saw it.
            lesson: Of the same task.
        """
        loss = predicted.new_zeros((), dtype=torch.float32)
        if self.outputs:
            loss = loss + self.outputs * F.mse_loss(predicted.float(), lesson.predicted)
        for place, feature in features.items() if self.features else ():
            taught = lesson.features.get(place)
            if taught is not None and taught.shape == feature.shape:  # an innermost stage has no sampler
                loss = loss + self.features * F.mse_loss(feature.float(), taught.float())
        return loss


@contextmanager
def watched(supernet: Supernet | None, /) -> Iterator[Features]:
    """What each stage of the current architecture gives in the forward passes of a `with` block; None = nothing."""
    seen: Features = {}
    with ExitStack() as hooks:
        for place, module in ({} if supernet is None else supernet.stages).items():
            hooks.enter_context(module.register_forward_hook(_keeper(seen, place)))
        yield seen


def _keeper(seen: Features, place: str) -> Any:
    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        seen[place] = output[0] if isinstance(output, tuple) else output  # down stages give their skips too

    return keep
