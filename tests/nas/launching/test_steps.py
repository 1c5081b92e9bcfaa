"""Steps as a process does them: what is told and written of each, when pictures are drawn, and where it stops."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nas.launching import recording
from nas.launching.directory import TrainingDirectory
from nas.launching.launch import Launch
from nas.launching.news import Begun, Drawn, Encoded, News, say_tenths
from nas.launching.recording import Recorder, Recording
from nas.launching.start import launch
from nas.launching.steps import do_steps, teller_of_encoding
from nas.runs.records.lines import Losses
from nas.runs.records.reading import read_records
from nas.training.denoising import Denoising
from nas.training.launching.fleet import ALONE, Fleet
from nas.training.launching.settings import TrainingWorkers
from nas.training.loop import StepDone, Training
from nas.training.skipping.strategy import Whole
from tests.nas.training.tiny import SCHEDULE, SETTINGS, Rank, supernet_of, tiny_pictures, tiny_unet

CPU = torch.device("cpu")


@dataclass
class Desk:
    """Keeps what it is told, and wants the training to stop after a step."""

    stop_after: int | None = None
    news: list[News] = field(default_factory=list)

    def tell(self, news: News, /) -> None:
        self.news.append(news)

    def is_stopped(self) -> bool:
        last = self.news[-1]
        return isinstance(last, (StepDone, Drawn)) and last.step == self.stop_after


class Sheets:
    """Two grey pictures."""

    captions: Sequence[str] = ("a", "b")
    num_columns = 2

    def draw(self, module: torch.nn.Module, /) -> Any:
        assert not module.training
        return np.full((2, 8, 8, 3), 127, dtype=np.uint8)


def training(out: Path, *, num: int = 5, fleet: Fleet = ALONE) -> Training:
    supernet = supernet_of(tiny_unet())
    return Training(
        supernet, data=tiny_pictures(), objective=Denoising(schedule=SCHEDULE), strategy=Whole(supernet.architecture),
        settings=replace(SETTINGS, save_every=100), num_steps=num, seed=0, fleet=fleet,
        state=TrainingDirectory(out).state,
    )  # fmt: skip


def did(out: Path, desk: Desk, *, every: int = 2, tensorboard: bool = False, sheets: Sheets | None = None) -> bool:
    """Do the steps that are left of a training, and say whether they all are."""
    steps = training(out)
    written = Recording(folder=TrainingDirectory(out), batch_size=4, sample_every=every, tensorboard=tensorboard)
    return do_steps(steps, record=lambda: Recorder(written, steps, sheets=sheets), fleet=ALONE, device=CPU, desk=desk)


def losses(out: Path) -> list[float]:
    return [loss for row in read_records(out, Losses).rows for loss in row["losses"]]


def test_every_step_is_told_and_pictures_are_drawn_first_and_last_and_so_often_between(tmp_path: Path) -> None:
    desk = Desk()
    assert did(tmp_path, desk, sheets=Sheets())
    begun, *others = desk.news
    assert isinstance(begun, Begun)
    assert (begun.num_done, begun.num_steps) == (0, 5)
    told = [("drawn" if isinstance(each, Drawn) else "done", each.step) for each in others
            if isinstance(each, (Drawn, StepDone))]  # fmt: skip
    assert told == [
        ("drawn", 0), ("done", 1), ("done", 2), ("drawn", 2), ("done", 3), ("done", 4), ("drawn", 4), ("done", 5),
        ("drawn", 5),
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [
        f"step-{step:06d}.png" for step in (0, 2, 4, 5)
    ]
    assert losses(tmp_path) == [each.loss for each in desk.news if isinstance(each, StepDone)]
    assert training(tmp_path).num_done == 5, "the state of the last step stands"


@pytest.mark.parametrize(("every", "sheets"), [(0, Sheets()), (2, None)])
def test_where_no_pictures_are_asked_for_none_is_drawn_but_the_first(
    tmp_path: Path, every: int, sheets: Sheets | None
) -> None:
    desk = Desk()
    assert did(tmp_path, desk, every=every, sheets=sheets)
    assert [each.step for each in desk.news if isinstance(each, Drawn)] == ([] if sheets is None else [0])


def test_who_is_stopped_goes_on_after_that_step_to_the_same_losses(tmp_path: Path) -> None:
    assert did(tmp_path / "whole", Desk())
    desk, further = Desk(stop_after=3), Desk()
    assert not did(tmp_path / "out", desk, sheets=Sheets())
    assert isinstance(desk.news[-1], StepDone)
    assert desk.news[-1].step == training(tmp_path / "out").num_done == 3
    assert did(tmp_path / "out", further, sheets=Sheets())
    assert [each.num_done for each in further.news if isinstance(each, Begun)] == [3]
    assert [each.step for each in further.news if isinstance(each, Drawn)] == [4, 5], "and not as it is before a step"
    assert losses(tmp_path / "out") == losses(tmp_path / "whole")
    assert did(tmp_path / "last", Desk(stop_after=5)), "who is stopped after the last step is done"


def test_others_than_the_first_process_tell_and_write_nothing_and_stop_when_it_does(tmp_path: Path) -> None:
    class Second(Rank):
        """The second process of two, the first of which wants to stop at once."""

        def average(self, tensors: Sequence[torch.Tensor], /) -> None:
            if len(tensors) == 1 and tensors[0].shape == ():
                tensors[0].fill_(0.5)

    def record() -> Recorder:
        raise AssertionError("the first process alone writes")

    desk, steps = Desk(), training(tmp_path, fleet=Second(1, 2))
    assert not do_steps(steps, record=record, fleet=Second(1, 2), device=CPU, desk=desk)
    assert (steps.num_done, desk.news, list(tmp_path.iterdir())) == (1, [], [])
    for rank, told in ((0, [Encoded(num_done=3, num=None)]), (1, [])):
        desk = Desk()
        teller_of_encoding(desk, Rank(rank, 2))(3, None)
        assert desk.news == told


def test_events_hold_each_step_once_though_it_went_on(tmp_path: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    desk = Desk(stop_after=3)
    did(tmp_path, desk, tensorboard=True)
    did(tmp_path, desk, tensorboard=True, sheets=Sheets())
    events = reading.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    done = [each for each in desk.news if isinstance(each, StepDone)]
    for name in ("loss", "learning_rate", "gradient_norm", "skipped"):
        found = events.Scalars(f"training/{name}")
        assert [each.step for each in found] == [1, 2, 3, 4, 5]
        assert [each.value for each in found] == pytest.approx([getattr(each, name) for each in done])
    assert all(each.value > 0 for each in events.Scalars("training/pictures_per_s"))
    assert [each.step for each in events.Images("samples")] == [4, 5]


def test_the_speed_of_a_step_is_without_the_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    now_s = 0.0

    def clock() -> float:
        nonlocal now_s
        now_s += 1
        return now_s

    class SlowSheets(Sheets):
        def draw(self, module: torch.nn.Module, /) -> Any:
            nonlocal now_s
            now_s += 1000
            return super().draw(module)

    monkeypatch.setattr(recording, "time", SimpleNamespace(perf_counter=clock))
    assert did(tmp_path, Desk(), tensorboard=True, sheets=SlowSheets())
    events = reading.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [each.value for each in events.Scalars("training/pictures_per_s")] == [4.0] * 5


@pytest.mark.parametrize(
    ("num", "said"), [(20, [*range(2, 21, 2)]), (7, [*range(1, 8)]), (25, [3, 5, 8, 10, 13, 15, 18, 20, 23, 25])]
)
def test_a_line_per_tenth_is_said(capsys: pytest.CaptureFixture[str], num: int, said: list[int]) -> None:
    say_tenths(Encoded(num_done=1, num=2))
    for step in range(1, num + 1):
        say_tenths(StepDone(step=step, num_steps=num, loss=0.5, learning_rate=1.0, gradient_norm=1.0, skipped=0.0))
    assert capsys.readouterr().err.splitlines() == [f"step {step} of {num}: loss 0.5000" for step in said]


def launched(folder: TrainingDirectory, work: Any, heard: list[News]) -> bool:
    return launch(
        Launch(folder=folder, identity={"seed": 0}, contents={}, workers=TrainingWorkers(), device="cpu", work=work,
               section="training"),
        listen=heard.append,
    )  # fmt: skip


def test_a_launch_trains_here_and_is_done_once(tmp_path: Path) -> None:
    folder, heard = TrainingDirectory(tmp_path), list[News]()
    news, is_done, fleets = Encoded(num_done=1, num=1), [False, True], list[Fleet]()

    def work(fleet: Fleet, /, *, device: torch.device, desk: Any) -> bool:
        fleets.append(fleet)
        torch.manual_seed(1)
        assert (device, desk.is_stopped()) == (CPU, False)
        desk.tell(news)
        return is_done.pop(0)

    state = torch.get_rng_state()
    assert not launched(folder, work, heard)
    assert launched(folder, work, heard)
    assert torch.equal(torch.get_rng_state(), state)
    folder.end({})
    assert launched(folder, work, heard), "who is done is not asked again"
    assert (fleets, heard) == ([ALONE, ALONE], [news, news])
