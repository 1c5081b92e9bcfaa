"""What the first process of a training writes as it goes: its curve, sheets of sample pictures, TensorBoard events."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from latency.exporters.extras import load_extra
from nas.drawing.grid import grid, write_grid
from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.computing.execution import Execution
from nas.robust_training.job import TrainingJob
from nas.runs.records.lines import Losses
from nas.runs.records.writing import LossLines, write_line
from nas.scores.prompts import ValidationSet
from nas.training.loop import StepDone, Training


class Recorder:
    """Writes what is seen of a training, for the time of a `with` block; what was begun is ended however it ends."""

    def __init__(self, job: TrainingJob, training: Training, /, *, device: torch.device) -> None:
        self._job, self._training = job, training
        self._lines = LossLines(self._write_losses, done=training.losses)
        self._drawer = Sheets(job, device=device) if job.prompts else None
        self._events: Any = None
        self._clock = time.perf_counter()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._job.tensorboard:
            writing = load_extra("torch.utils.tensorboard", extra="tensorboard")
            self._events = writing.SummaryWriter(str(self._job.folder.events), purge_step=self._training.num_done + 1)
            self._stack.callback(self._events.close)
        self._stack.callback(self._lines.end)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self) -> Path | None:
        """Draw the model as it is before the first step; the sheet, where there is to be one."""
        self._clock = time.perf_counter()
        is_new = self._training.num_done == 0
        return self._draw(0) if is_new else None

    def record(self, done: StepDone, /) -> Path | None:
        """Write down a step; the sheet of pictures, where there is one after it."""
        self._lines.add(done.loss)
        if self._events is not None:
            seconds = time.perf_counter() - self._clock
            for name, value in (
                ("loss", done.loss),
                ("learning_rate", done.learning_rate),
                ("gradient_norm", done.gradient_norm),
                ("skipped", done.skipped),
                ("pictures_per_s", self._job.config.robust_training.batch_size / seconds),
            ):
                self._events.add_scalar(f"training/{name}", value, done.step)
        every = self._job.config.robust_training.sample_every
        sheet = None
        if every and (done.step % every == 0 or done.step == done.num_steps):
            sheet = self._draw(done.step)
        self._clock = time.perf_counter()
        return sheet

    def _write_losses(self, first: int, losses: tuple[float, ...]) -> None:
        line = Losses(round=0, job=0, recovering=False, first_step=first, losses=losses)
        write_line(self._job.folder.path, line)

    def _draw(self, step: int) -> Path | None:
        if self._drawer is None:
            return None
        with self._training.averaged() as supernet:
            pictures = self._drawer.draw(supernet.unet)
        path = self._job.folder.sheet(step)
        captions, title = self._drawer.captions, f"after {step:,} of {self._training.num_steps:,} steps"
        write_grid(path, pictures, captions=captions, title=title)
        if self._events is not None:
            picture = np.asarray(grid(pictures, captions=captions, title=title))
            self._events.add_image("samples", picture, step, dataformats="HWC")
        return path


class Sheets:
    """Draws the same prompts with the same noise each time."""

    def __init__(self, job: TrainingJob, /, *, device: torch.device) -> None:
        space, config = job.space, job.config
        prompts = ValidationSet.from_captions(list(job.prompts), seed=config.seed, chunk_size=len(job.prompts))
        self.captions = [prompt.caption for prompt in prompts.chunk(0)]
        self._drawer = Drawer(
            ScoreSetting(
                model=job.model,
                validation=prompts,
                protocol=config.sampling,
                latent_shape=(space.in_channels, *space.sample_size),
                execution=Execution(device=str(device)),
            )
        )

    def draw(self, unet: torch.nn.Module, /) -> npt.NDArray[np.uint8]:
        """Pictures as uint8 (n, h, w, 3)."""
        pictures = self._drawer.pictures(unet, chunk=0).nan_to_num(0)
        drawn: npt.NDArray[np.uint8] = (pictures * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return drawn
