"""One worker: a supernet and an evaluator, loaded once, that scores architectures chunk by chunk.

The same class runs in the driver's process and inside Ray actors, with the number of threads that the protocol
states, so that either gives the same bits.
"""

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from nas.algorithms.steps import PromptSet, Score, Subject
from nas.drawing.thumbnails import thumbnails
from nas.evaluation.captions.known import CaptionFolder
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.pictures import as_bytes
from nas.evaluation.registry import ScoreSpec, make_score
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.computing.execution import Execution
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet
from nas.scores.stored.keys import UNKNOWN_MAKER
from nas.workers.maker import made_by
from search_spaces.actions import CopyStart
from search_spaces.architecture import Architecture
from search_spaces.files.user_error import UserError
from search_spaces.supernet import Supernet
from search_spaces.unets.diffusers_config import space_from_config


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSpec:
    """All that a worker needs to load itself, on any machine that sees the same folders.

    Attributes:
        model: The base model.
        score: What it scores by.
        others: Other scores that it may be asked for, each started when it first is.
        validation: The prompts that decide.
        final: The prompts that choose the best round; None = there are none of their own.
        held_out: The prompts that no decision sees; None = there are none.
        protocol: How pictures are made.
        latent_size: (height, width) of their latents.
        max_copies: Copies that one block may get.
        copy_start: How much a copy says at birth.
        num_threads: Part of the protocol.
        execution: Where and how modules run.
        embedded: Folder, made by whoever owns it, in which workers share embedded captions; None = each holds its own.
    """

    model: ModelFolder
    score: ScoreSpec
    others: tuple[ScoreSpec, ...] = ()
    validation: ValidationSet
    protocol: SamplingProtocol
    latent_size: tuple[int, int]
    max_copies: int
    copy_start: CopyStart
    num_threads: int
    execution: Execution = Execution()  # noqa: RUF009  frozen
    final: ValidationSet | None = None
    held_out: ValidationSet | None = None
    embedded: Path | None = None

    def prompts(self, which: PromptSet, /) -> ValidationSet:
        """The prompts of a set.

        Raises:
            UserError: There are none.
        """
        sets = {PromptSet.DECIDING: self.validation, PromptSet.FINAL: self.final, PromptSet.HELD_OUT: self.held_out}
        if (found := sets[which]) is None:
            raise UserError(
                f"a step asks for scores on the {which} captions, but the config names none; leave the step out, or "
                "give `validation.held_out`, `validation.final_prompts`"
            )
        return found

    def score_of(self, name: str, /) -> ScoreSpec:
        """The score of a name; "" = the first.

        Raises:
            UserError: It does not serve that one.
        """
        served = {each.name: each for each in (self.score, *self.others)} | {"": self.score}
        if name not in served:
            raise UserError(
                f"a step asks for the score {name!r}, but this run serves {self.score.name}"
                f"{''.join(f', {each.name}' for each in self.others)} alone; an algorithm must name the scores that it "
                "asks for in its declaration"
            )
        return served[name]

    @property
    def setting(self) -> ScoreSetting:
        """What its score is made in; a fresh one, which holds no model yet."""
        channels = space_from_config(self.model.unet_config()).in_channels
        return ScoreSetting(
            model=self.model,
            validation=self.validation,
            protocol=self.protocol,
            latent_shape=(channels, *self.latent_size),
            execution=self.execution,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """By what something is scored, and on what.

    Attributes:
        by: Name of a score that the worker serves; "" = the run's own.
        prompts: On which captions.
        num_prompts: The first so many of them; None = all.
    """

    by: str = ""
    prompts: PromptSet = PromptSet.DECIDING
    num_prompts: int | None = None

    @classmethod
    def of(cls, step: Score, /) -> "Yardstick":
        """What a step asks for."""
        return cls(by=step.by, prompts=step.prompts, num_prompts=step.num_prompts)


OWN: Final = Yardstick()  # the run's own score on all prompts that decide


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationTask:
    """Score one architecture on one chunk of the validation set, and hand back pictures if wanted.

    Attributes:
        architecture: What to score.
        chunk: Index of the prompts.
        with_pictures: Whether to hand back all pictures, and to draw them even where the score needs none.
        num_samples: Where the score looks at pictures anyway: how many of the first to hand back, made small.
        yardstick: By which score, on which prompts; `chunk` counts these.
        against: Where the score is a distance to the network of a round: that one, with the weights that are held.
    """

    architecture: Architecture
    chunk: int
    with_pictures: bool = False
    num_samples: int = 0
    yardstick: Yardstick = OWN
    against: Subject | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationResult:
    """Scores of a task, in the order of the chunk's prompts, and the pictures if they were wanted.

    Attributes:
        task: What was asked.
        scores: One per prompt.
        seconds: Wall time of the task.
        worker: Who answered.
        pictures: uint8 (n, h, w, 3), or None; all of the task's, or as many as `task.num_samples` says.
        start: Unix seconds when it began, by the worker's clock.
        made_by: What made them, as `nas.workers.maker.made_by` says it; scores of different makers are never paired.
    """

    task: EvaluationTask
    scores: tuple[float, ...]
    seconds: float
    worker: str
    pictures: npt.NDArray[np.uint8] | None = None
    start: float = 0.0
    made_by: str = UNKNOWN_MAKER


def load_supernet(spec: WorkerSpec, /, *, device: str | None = None) -> Supernet:
    """The model folder's UNet as a supernet, ready to be switched.

    Args:
        spec: What to load.
        device: Where to; None = where workers compute.
    """
    execution = spec.execution if device is None else replace(spec.execution, device=device)
    unet = execution.place(spec.model.load_unet())
    return Supernet(unet, space=space_from_config(unet.config, max_copies=spec.max_copies), copy_start=spec.copy_start)


class EvaluationWorker:
    """Holds a supernet and an evaluator, with what its score has loaded, for as long as it lives.

    Scores that it serves beside the run's own start when they are first asked for, each on the base model in the
    weights of the model folder, whatever the supernet holds by then.

    Args:
        spec: What to load.
        supernet: A supernet to share, whose weights somebody else keeps up to date; None = load one. It holds the base
            model's weights now: a score may take it for its reference.
        name: Shown in results.
    """

    def __init__(self, spec: WorkerSpec, /, *, supernet: Supernet | None = None, name: str = "in process") -> None:
        torch.set_num_threads(spec.num_threads)
        spec.execution.check()
        self._supernet = supernet if supernet is not None else load_supernet(spec)
        spec.execution.compile(self._supernet.unet)
        self._spec, self._name, self._made_by = spec, name, made_by(spec.execution.device)
        self._setting = spec.setting
        if spec.embedded is not None:
            folder = CaptionFolder(path=spec.embedded, made_by=self._made_by)
            self._setting = replace(self._setting, embedded=folder)
        self._evaluators = {OWN: self._started(OWN, self._supernet)}

    def update_weights(self, changed: Mapping[str, npt.NDArray[np.generic]], /) -> None:
        """Take over those weights of the driver's supernet that changed, copies of blocks included."""
        with warnings.catch_warnings():  # Ray's arrays cannot be written to, and these views are only read
            warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
            views = {name: torch.from_numpy(array) for name, array in changed.items()}
        self._supernet.update_weights(views)

    def evaluate(self, task: EvaluationTask, /) -> EvaluationResult:
        """Score one task."""
        began, start, is_base = time.time(), time.perf_counter(), task.architecture == self._supernet.space.base
        evaluator = self._evaluator(task.yardstick)
        if task.against is not None and not evaluator.refers_to(task.against):
            with self._supernet.switched(task.against.architecture) as reference:
                evaluator.refer(reference, key=task.against)
        with self._supernet.switched(task.architecture) as unet:
            found = evaluator.evaluate(
                unet,
                chunk=task.chunk,
                with_pictures=task.with_pictures,
                of="the base model" if is_base else f"architecture {task.architecture.arch_id}",
                is_base=is_base,
            )
        return EvaluationResult(
            task=task,
            scores=found.scores,
            seconds=time.perf_counter() - start,
            worker=self._name,
            pictures=_wanted(found.pictures, task),
            start=began,
            made_by=self._made_by,
        )

    def _evaluator(self, yardstick: Yardstick) -> Evaluator:
        """What scores by a yardstick, started now where it was not before."""
        if yardstick not in self._evaluators:
            base_model = load_supernet(self._spec)  # a copy for this moment: ours may be trained
            self._spec.execution.compile(base_model.unet)
            self._evaluators[yardstick] = self._started(yardstick, base_model)
        return self._evaluators[yardstick]

    def _started(self, yardstick: Yardstick, supernet: Supernet) -> Evaluator:
        """A score on some prompts, with the base model of a supernet for its reference."""
        spec, prompts = self._spec.score_of(yardstick.by), self._spec.prompts(yardstick.prompts)
        setting = self._setting if prompts is self._spec.validation else self._setting.on(prompts)
        if yardstick.num_prompts is not None:
            setting = setting.first(yardstick.num_prompts)
        score = make_score(spec.name, settings=spec.settings, setting=setting)
        with supernet.switched(supernet.space.base) as base:
            return Evaluator(setting, score=score, reference=base)


def _wanted(pictures: Float[Tensor, "n 3 h_px w_px"] | None, task: EvaluationTask) -> npt.NDArray[np.uint8] | None:
    """Those of a task's pictures that it asks for."""
    if pictures is None or not (task.with_pictures or task.num_samples):
        return None
    return as_bytes(pictures) if task.with_pictures else thumbnails(as_bytes(pictures[: task.num_samples]))
