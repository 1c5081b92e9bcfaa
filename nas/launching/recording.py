"""What the first process of a training writes as it goes: its curve, sheets of sample pictures, TensorBoard events."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch

from latency.exporters.extras import load_extra
from nas.drawing.grid import grid, write_grid
from nas.evaluation.pictures import Drawer, as_bytes
from nas.evaluation.setting import ScoreSetting
from nas.launching.directory import TrainingDirectory
from nas.runs.records.lines import Losses
from nas.runs.records.writing import LossLines, write_line
from nas.training.loop import StepDone, Training


class Sheets(Protocol):
    """Draws the same pictures each time.

    Attributes:
        captions: Of them.
        num_columns: Pictures in a row of the sheet.
    """

    captions: Sequence[str]
    num_columns: int

    def draw(self, module: torch.nn.Module, /) -> npt.NDArray[np.uint8]:
        """Pictures as uint8 (n, h, w, 3), of what is trained."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is written.

    Attributes:
        folder: Where.
        batch_size: Pictures of a step, for the speed.
        sample_every: Steps between two sheets; 0 = none.
        tensorboard: Whether events are written, too.
    """

    folder: TrainingDirectory
    batch_size: int
    sample_every: int
    tensorboard: bool = False


class Recorder:
    """Writes what is seen of a training, for the time of a `with` block; what was begun is ended however it ends."""

    def __init__(self, recording: Recording, training: Training, /, *, sheets: Sheets | None) -> None:
        self._recording, self._training, self._sheets = recording, training, sheets
        self._lines = LossLines(self._write_losses, done=training.losses)
        self._events: Any = None
        self._clock = time.perf_counter()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        if self._recording.tensorboard:
            writing = load_extra("torch.utils.tensorboard", extra="tensorboard")
            folder = str(self._recording.folder.events)
            self._events = writing.SummaryWriter(folder, purge_step=self._training.num_done + 1)
            self._stack.callback(self._events.close)
        self._stack.callback(self._lines.end)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self) -> Path | None:
        """Draw the model as it is before the first step; the sheet, where there is to be one."""
        sheet = self._draw(0) if self._training.num_done == 0 else None
        self._clock = time.perf_counter()
        return sheet

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
                ("pictures_per_s", self._recording.batch_size / seconds),
            ):
                self._events.add_scalar(f"training/{name}", value, done.step)
        every = self._recording.sample_every
        sheet = None
        if every and (done.step % every == 0 or done.step == done.num_steps):
            sheet = self._draw(done.step)
        self._clock = time.perf_counter()
        return sheet

    def _write_losses(self, first: int, losses: tuple[float, ...]) -> None:
        line = Losses(round=0, job=0, recovering=False, first_step=first, losses=losses)
        write_line(self._recording.folder.path, line)

    def _draw(self, step: int) -> Path | None:
        if self._sheets is None:
            return None
        with self._training.averaged() as trainee:
            pictures = self._sheets.draw(trainee.module)
        path = self._recording.folder.sheet(step)
        captions, title = self._sheets.captions, f"after {step:,} of {self._training.num_steps:,} steps"
        columns = self._sheets.num_columns
        write_grid(path, pictures, captions=captions, title=title, num_columns=columns)
        if self._events is not None:
            picture = np.asarray(grid(pictures, captions=captions, title=title, num_columns=columns))
            self._events.add_image("samples", picture, step, dataformats="HWC")
        return path


class PromptSheets:
    """Draws the first chunk of a setting's prompts, with the same noise each time."""

    def __init__(self, setting: ScoreSetting, /) -> None:
        self.captions: Sequence[str] = [prompt.caption for prompt in setting.prompts(0)]
        self.num_columns = 8
        self._drawer = Drawer(setting)

    def draw(self, module: torch.nn.Module, /) -> npt.NDArray[np.uint8]:
        """Pictures as uint8 (n, h, w, 3), of a UNet."""
        return as_bytes(self._drawer.pictures(module, chunk=0))
