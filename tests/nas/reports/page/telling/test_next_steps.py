"""What to do next follows from the run by plain rules; every command is one that exists."""

import shlex
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from nas.cli.app import app
from nas.reports.page.telling.next_steps import next_steps
from nas.reports.page.values import Decision, Estimate, Measured, NextStep, Numbers, ScoreLabel

MET = Numbers(
    base_latency_ms=40.0,
    target_latency_ms=33.0,
    latency_ms=32.0,
    score=Estimate(mean=0.93, low=0.92, high=0.94),
    difference=Estimate(mean=0.001, low=-0.004, high=0.006),
    target_met=True,
)
MISSED = replace(MET, latency_ms=36.0, target_met=False)


def steps(numbers: Numbers, **changes: Any) -> tuple[NextStep, ...]:
    given: dict[str, Any] = {
        "run": "runs/mine",
        "state": "finished",
        "stop": "converged",
        "decisions": (),
        "score": ScoreLabel(),
        "export": "export",
        "num_prompts": 20,
    }
    return next_steps(numbers=numbers, **(given | changes))


def titles(numbers: Numbers, **changes: Any) -> list[str]:
    return [step.title for step in steps(numbers, **changes)]


def decided(*chances: float | None) -> tuple[Decision, ...]:
    return tuple(Decision(round=0, order=i, action="-resnet[mid,0]", chance=each) for i, each in enumerate(chances))


def test_an_interrupted_search_is_continued_and_a_running_one_watched() -> None:
    (step,) = steps(MET, state="interrupted")
    assert step.command == "nas search runs/mine/config.yaml --out runs/mine"
    (step,) = steps(MET, state="running")
    assert step.command == "nas report runs/mine --watch"


def test_a_missed_target_names_the_fastest_that_was_reached() -> None:
    assert titles(MISSED, stop="max_rounds")[0] == "Ask for what can be reached: 36.0\xa0ms"


def test_decisions_that_could_be_chance_ask_for_more_prompts() -> None:
    assert titles(MET, decisions=decided(0.6, 0.95, 0.99))[0] == "Score on more prompts"
    assert "Score on more prompts" not in titles(MET, decisions=decided(0.6, 0.95, 0.99, 0.99))
    assert "Score on more prompts" not in titles(MET, decisions=decided(None, None))
    assert "validation.num_prompts=80" in steps(MET, decisions=decided(0.6))[0].command
    few = steps(MET, decisions=decided(0.6), num_captions=65)[0]
    assert "validation.num_prompts=65" in few.command, "a command that works"
    assert "holds 65" in few.why
    all_of_them = steps(MET, decisions=decided(0.6), num_captions=20)[0]
    assert (all_of_them.title, all_of_them.command) == ("Write more captions", "")


def test_what_was_not_exported_is_and_a_table_that_predicts_another_device_is_measured() -> None:
    assert "Export what was found" in titles(MET, export=None)
    far = replace(MET, measured=Measured(form="diffusers", latency_ms=36.0, base_latency_ms=40.0))
    near = replace(MET, measured=Measured(form="diffusers", latency_ms=24.0, base_latency_ms=30.0))
    assert "Measure a table for this device" in titles(far)
    assert "Measure a table for this device" not in titles(near)


def test_scores_on_held_out_captions_end_the_call_for_them() -> None:
    assert "Judge it on captions that took no part" in titles(MET)
    judged = replace(MET, held_out=Estimate(mean=0.92, low=0.91, high=0.93))
    assert "Judge it on captions that took no part" not in titles(judged)


def test_more_speed_is_offered_only_where_nothing_was_surely_lost() -> None:
    assert titles(MET)[-1] == "Ask for more speed"
    little = replace(MET, difference=Estimate(mean=-0.03, low=-0.085, high=0.026))
    assert "show no loss so far, though they could not tell one of 0.085 from none" in steps(little)[-1].why
    worse = steps(little, score=ScoreLabel(name="fid", higher_is_better=False))[-1].why
    assert "one of 0.026 from none" in worse
    faster = replace(MET, latency_ms=20.0)
    assert "search.target_ratio=0.45" in steps(faster)[-1].command, "tighter than what was found"
    lost = replace(MET, difference=Estimate(mean=-0.02, low=-0.03, high=-0.01))
    assert "Ask for more speed" not in titles(lost)
    higher = replace(MET, difference=Estimate(mean=0.02, low=0.01, high=0.03))
    assert "Ask for more speed" not in titles(higher, score=ScoreLabel(name="fid", higher_is_better=False))


@pytest.mark.parametrize("step", steps(MISSED, export=None) + steps(MET, state="interrupted") + steps(MET))
def test_every_command_exists(step: NextStep) -> None:
    program, command, *words = shlex.split(step.command)
    assert program == "nas"
    options = [word for word in words if word.startswith("--")]
    told = CliRunner().invoke(app, [command, *(["measure"] if command == "latency" else []), "--help"])
    assert told.exit_code == 0
    assert all(option in told.output for option in options)


def test_commands_are_whole_whatever_the_run_is_called() -> None:
    name = "my runs/it's; rm -rf $HOME"
    found = steps(MET, run=name, export=None), steps(MISSED, run=name), steps(MET, run=name, state="running")
    commands = [step.command for each in found for step in each if step.command and "MODEL" not in step.command]
    assert len(commands) >= 5
    for command in commands:
        assert any(word.startswith(name) for word in shlex.split(command)), command
        assert not {"rm", "runs/it's;"} & set(shlex.split(command)), command
