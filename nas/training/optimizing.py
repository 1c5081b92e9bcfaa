"""What makes weights of gradients: AdamW, its rate step by step, clipping, and the moving average of the weights."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from nas.training.settings import LoopSettings

Moments = dict[str, dict[str, Tensor]]
_SMALLEST_SCALE: Final = 2.0**-14  # float16's smallest normal number: gradients that overflow at it are broken


class Optimizing:
    """An optimizer of named weights, and all that belongs to it.

    Args:
        parameters: The weights under training, by name; no others are ever changed.
        settings: Rates, decays and bounds.
        num_steps: Of the whole training.
        scaler: Of gradients in float16; one that is not enabled leaves them as they are.
    """

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        /,
        *,
        settings: LoopSettings,
        num_steps: int,
        scaler: torch.amp.GradScaler,
    ) -> None:
        self._parameters, self._settings, self._num_steps, self._scaler = dict(parameters), settings, num_steps, scaler
        self._optimizer = torch.optim.AdamW(
            list(parameters.values()),
            lr=settings.learning_rate,
            betas=(settings.adam_beta1, settings.adam_beta2),
            eps=settings.adam_epsilon,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self._rates = _Rates(settings, num_steps)
        self._average = (
            None
            if settings.ema_decay is None
            else EMAModel(list(parameters.values()), decay=settings.ema_decay, foreach=True)
        )

    def rate(self, step: int, /) -> float:
        """The learning rate of a step, counted from 0."""
        return self._rates(step)

    def clip(self) -> Tensor:
        """Take the gradients' scale off and clip them; their norm before."""
        self._scaler.unscale_(self._optimizer)
        return nn.utils.clip_grad_norm_(self._parameters.values(), self._settings.max_grad_norm)

    def step(self, step: int, /) -> None:
        """Change the weights by the gradients of a step, counted from 0, and forget these."""
        for group in self._optimizer.param_groups:
            group["lr"] = self.rate(step)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad()
        if self._average is not None:
            self._average.step(self._parameters.values())

    def moments(self) -> Moments:
        """What AdamW knows of each weight that it has changed, by the weight's name."""
        return {
            name: dict(self._optimizer.state[each])
            for name, each in self._parameters.items()
            if each in self._optimizer.state
        }

    def average(self) -> dict[str, Tensor]:
        """The moving average of the weights, by name; none where there is none."""
        return {} if self._average is None else dict(zip(self._parameters, self._average.shadow_params, strict=True))

    @torch.no_grad()
    def restore(self, *, step: int, moments: Moments, average: Mapping[str, Tensor]) -> None:
        """Go on where `moments` and `average` were taken, after `step` steps."""
        for name, known in moments.items():
            self._optimizer.state[self._parameters[name]] = {
                key: self._laid_out(value, self._parameters[name]) for key, value in known.items()
            }
        if self._average is not None:
            self._average.optimization_step = step
            for name, own in self.average().items():
                own.copy_(average[name])

    def _laid_out(self, moment: Tensor, parameter: nn.Parameter) -> Tensor:
        """A moment as the optimizer has it: in memory like its weight in training, which the fused AdamW relies on."""
        if moment.dim() == 0:
            return moment.to(parameter.device, copy=True)
        is_map = self._settings.channels_last and parameter.dim() == 4
        layout = torch.channels_last if is_map else torch.preserve_format
        return torch.empty_like(parameter, memory_format=layout).copy_(moment)

    def take_average(self) -> None:
        """Let the weights be their moving average, where there is one."""
        if self._average is not None:
            self._average.copy_to(self._parameters.values())

    def overflows(self) -> bool:
        """Whether gradients overflow in float16 whatever their scale."""
        return self._scaler.is_enabled() and self._scaler.get_scale() < _SMALLEST_SCALE


class _Rates:
    """The learning rate by step: up to the peak, along it, and down, each by diffusers' own schedule."""

    def __init__(self, settings: LoopSettings, num_steps: int) -> None:
        warm_up = max(1, int(settings.warm_up_share * num_steps))
        fall = max(1, min(num_steps - warm_up, round(settings.decay_share * num_steps)))
        self._peak, self._fall_begins = settings.learning_rate, num_steps - fall
        self._up = _factors("constant_with_warmup", num_warmup_steps=warm_up)
        self._down = _factors(str(settings.rate_schedule), num_warmup_steps=0, num_training_steps=fall)

    def __call__(self, step: int) -> float:
        return self._peak * self._up(step + 1) * self._down(max(0, step - self._fall_begins))


def _factors(name: str, **shape: int) -> Callable[[int], float]:
    """A schedule of diffusers' as a function of the step."""
    nothing = torch.optim.SGD([torch.zeros(())], lr=1.0)
    factors: Callable[[int], float] = get_scheduler(name, nothing, **shape).lr_lambdas[0]
    return factors
