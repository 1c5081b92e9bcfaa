"""The loop of training: steps one after the other, told as they are done, saved every so often, stopped at nonsense.

    training = Training(supernet, data=data, objective=objective, strategy=strategy, settings=settings, num_steps=1000,
                        seed=0, state=Path("run/state.safetensors"))
    losses = training.run(on_step=lambda done: print(done.step, done.loss))

Everything follows from the arguments, the seed and the weights that the supernet holds: the same call gives the same
weights, and one that finds a state on disk goes on from there to the same weights.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch

from latency.pricing.scenario import Dtype
from nas.settings import plain
from nas.training.data.batches import Batch, TrainingData
from nas.training.launching.fleet import ALONE, Fleet
from nas.training.objective import Objective
from nas.training.optimizing import Optimizing
from nas.training.settings import LoopSettings
from nas.training.skipping.strategy import SkipStrategy
from nas.training.state import TrainingState, read_state, write_state
from nas.training.step import prepared, rows_of, training_step
from nas.training.trainee import Trainee
from search_spaces.architecture import Architecture
from search_spaces.files.digests import digest_of
from search_spaces.files.user_error import UserError

# Settings that change no weight, or that a digest of content stands for.
_NO_MATTER: Final = (
    "pictures", "data", "device", "workers", "save_every", "sample_every", "iterations", "recovery_iterations",
)  # fmt: skip
_NUM_NAMED: Final = 8  # pictures in an error


class TrainingError(UserError):
    """A training that cannot go on: its loss or its gradients are no numbers any more, or explode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """A step that is done.

    Attributes:
        step: Steps done, this one included.
        num_steps: Of the whole training.
        loss: Before the step.
        learning_rate: Of the step.
        gradient_norm: Before clipping.
        skipped: Share of blocks that its sub-networks left out, on average.
    """

    step: int
    num_steps: int
    loss: float
    learning_rate: float
    gradient_norm: float
    skipped: float


def _silent(done: StepDone) -> None:
    """Nobody listens."""


class Training:
    """One training of the weights of a supernet's current architecture, or of any other trainee's, in place.

    Args:
        trainee: Holds the weights to start from, and is at the architecture to train. Removed blocks are not in the
            optimizer.
        data: Captioned pictures.
        objective: What is minimised.
        strategy: Which blocks a step leaves out.
        settings: How to train; `iterations` and `pictures` are not read.
        num_steps: Steps.
        seed: Of batches, noise and what is skipped.
        fleet: Who trains together.
        state: File that states are written to every `settings.save_every` steps; one that stands there is gone on
            from. None = no states.
        origin: What the weights to start from are, by name, for the identity of states.

    Raises:
        StateError: A state stands there, but of another training, or damaged.
        UserError: The batch cannot be dealt out evenly.
    """

    def __init__(
        self,
        trainee: Trainee,
        /,
        *,
        data: TrainingData,
        objective: Objective,
        strategy: SkipStrategy,
        settings: LoopSettings,
        num_steps: int,
        seed: int,
        fleet: Fleet = ALONE,
        state: Path | None = None,
        origin: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._trainee, self._data, self._objective, self._strategy = trainee, data, objective, strategy
        self._settings, self._seed, self._fleet, self._state = settings, seed, fleet, state
        self.num_steps = num_steps
        self.architecture = trainee.architecture
        self.losses: list[float] = []
        self._position: Mapping[str, Any] | None = None
        self._rows = rows_of(settings, world=fleet.world)
        self._identity = {
            **origin,
            "arch_id": self.architecture.arch_id,
            "data": data.digest,
            "settings": digest_of({k: v for k, v in plain(settings).items() if k not in _NO_MATTER}),
            "num_steps": str(num_steps),
            "seed": str(seed),
        }
        self._parameters = trainee.named_parameters(self.architecture)
        half = settings.precision is Dtype.FLOAT16
        self._scaler = torch.amp.GradScaler(trainee.module.device.type, enabled=half)
        self._optimizing = Optimizing(self._parameters, settings=settings, num_steps=num_steps, scaler=self._scaler)
        self._restore()

    @property
    def num_done(self) -> int:
        """Steps that are done, those of an earlier process included."""
        return len(self.losses)

    def run(self, *, on_step: Callable[[StepDone], None] = _silent) -> list[float]:
        """Do the steps that are left; the trainee is at its architecture again, with the weights of the training.

        Args:
            on_step: Called after each step, on every rank; must be quick.

        Returns:
            The loss of every step, those of an earlier process included.

        Raises:
            TrainingError: Loss or gradients are no numbers any more, or explode. The state that was saved last stays.
            StorageError: The disk refuses.
        """
        batches = self._data.batches(
            seed=self._seed,
            size=self._rows,
            caption_dropout=self._settings.caption_dropout,
            start=self.num_done,
            position=self._position,
            rank=self._fleet.rank,
            world=self._fleet.world,
        )
        with prepared(self._trainee, self._settings), self._own_randomness():
            while self.num_done < self.num_steps:
                on_step(self._step(next(batches)))
                if self.num_done % self._settings.save_every == 0 and self.num_done < self.num_steps:
                    self.save()
            self._optimizing.take_average()
        return self.losses

    def _step(self, batch: Batch) -> StepDone:
        step = self.num_done
        torch.manual_seed((self._seed * 1_000_003 + step * self._fleet.world + self._fleet.rank) % 2**64)
        subnetworks = self._strategy.subnetworks(step=step, num_steps=self.num_steps, seed=self._seed)
        loss = training_step(
            self._trainee,
            batch=batch,
            subnetworks=subnetworks,
            objective=self._objective,
            settings=self._settings,
            scaler=self._scaler,
            fleet=self._fleet,
        )
        found, norm = (float(each) for each in torch.stack([loss, self._optimizing.clip()]).tolist())
        self._check(found, norm, batch)
        self._optimizing.step(step)
        self.losses.append(found)
        self._position = batch.position
        return StepDone(
            step=self.num_done,
            num_steps=self.num_steps,
            loss=found,
            learning_rate=self._optimizing.rate(step),
            gradient_norm=norm,
            skipped=_skipped(self.architecture, subnetworks),
        )

    def _check(self, loss: float, norm: float, batch: Batch) -> None:
        """Check that a step's numbers are sound, before any weight is changed by them."""
        if not math.isfinite(loss) or loss > self._settings.max_loss:
            wrong = f"its loss must be a number of at most `max_loss` ({self._settings.max_loss:g}), but is {loss:g}"
        elif not math.isfinite(norm) and not self._scaler.is_enabled():
            wrong = f"its gradients must be finite, but their norm is {norm:g}"
        elif self._optimizing.overflows():
            wrong = "its gradients must fit into float16 at some scale, but overflow at every one"
        else:
            return
        pictures = self._fleet.gathered(batch.pictures)
        named = ", ".join(pictures[:_NUM_NAMED])
        more = f" and {len(pictures) - _NUM_NAMED} more" if len(pictures) > _NUM_NAMED else ""
        kept = ""
        if self._state is not None and self._state.exists():
            kept = f"; the state in {self._state} is the last that was saved, and sound"
        raise TrainingError(
            f"training stopped in step {self.num_done + 1} of {self.num_steps}: {wrong}; the step's pictures are "
            f"{named}{more}. Lower `learning_rate` or `max_grad_norm`, train in a wider `precision`, or take broken "
            f"pictures out{kept}"
        )

    def save(self) -> None:
        """Write the state now, where states are written; rank 0 does."""
        if self._state is None or self._fleet.rank != 0:
            return
        write_state(
            self._state,
            TrainingState(
                identity=self._identity,
                step=self.num_done,
                losses=torch.tensor(self.losses, dtype=torch.float64),
                position=self._position,
                scale=self._scaler.state_dict(),
                weights=self._parameters,
                average=self._optimizing.average(),
                moments=self._optimizing.moments(),
            ),
        )

    @torch.no_grad()
    def _restore(self) -> None:
        """Go on from the state on disk, where there is one."""
        state = None if self._state is None else read_state(self._state, identity=self._identity)
        if state is None:
            return
        for name, parameter in self._parameters.items():
            parameter.copy_(state.weights[name])
        self._optimizing.restore(step=state.step, moments=state.moments, average=state.average)
        if state.scale:
            self._scaler.load_state_dict(dict(state.scale))
        self.losses, self._position = state.losses.tolist(), state.position

    @contextmanager
    def averaged(self) -> Iterator[Trainee]:
        """The trainee at its architecture, ready to draw, with the averaged weights where there are some."""
        before = {name: each.detach().clone() for name, each in self._parameters.items()}
        is_training = self._trainee.module.training
        try:
            with self._trainee.switched(self.architecture) as module:
                self._optimizing.take_average()
                module.eval()
                yield self._trainee
                module.train(is_training)
        finally:
            with torch.no_grad():
                for name, parameter in self._parameters.items():
                    parameter.copy_(before[name])

    def _own_randomness(self) -> AbstractContextManager[None]:
        """Leave torch's generators as they were: those of dropout are seeded step by step."""
        device = self._trainee.module.device
        return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _skipped(whole: Architecture, subnetworks: Sequence[Architecture]) -> float:
    """Share of blocks that sub-networks leave out of an architecture, on average."""
    full = _num_blocks(whole)
    return 1 - sum(map(_num_blocks, subnetworks)) / (full * len(subnetworks)) if full else 0.0


def _num_blocks(architecture: Architecture) -> int:
    return sum(each.resnets + each.cross_attentions for _, each in architecture.positions())
