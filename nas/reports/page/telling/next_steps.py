"""What one would do next with a run, by plain rules; pure.

Each rule looks at one thing that the run shows and names the command that deals with it. The first that applies comes
first: a search that can go on goes on, a missed target is spoken of before what could be surer.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from nas.reports.page.telling.answers import SURE
from nas.reports.page.values import Decision, NextStep, Numbers, ScoreLabel, State
from nas.reports.page.words import counted, milliseconds, number, percent

FAR: Final = 0.05  # of the base's latency: predicted and measured savings further apart are worth a table of one's own
MANY_UNSURE: Final = 1 / 3  # of the decisions


def next_steps(
    *,
    run: str,
    state: State,
    stop: str,
    numbers: Numbers,
    decisions: Sequence[Decision],
    score: ScoreLabel,
    export: str | None,
    num_prompts: int | None,
    num_captions: int | None = None,
) -> tuple[NextStep, ...]:
    """What to do next, the most useful first.

    Args:
        run: The run directory, as commands name it.
        state: Of the run.
        stop: Why the search ended.
        numbers: Of the story.
        decisions: With their chances.
        score: What the search was by.
        export: Folder of an export in the run; None where there is none.
        num_prompts: `validation.num_prompts` of its config.
        num_captions: That its file of captions holds, the most prompts that there can be; None = not known.
    """
    again = search_command(run)
    if state == "interrupted":
        why = (
            "The search was interrupted. The same command continues it, to the same result as if it had never stopped."
        )
        return (NextStep(title="Continue the search", why=why, command=again),)
    if state == "running":
        why = "The search goes on. `--watch` writes this page anew as it does; `nas status` tells it in a terminal."
        return (NextStep(title="Wait, and watch", why=why, command=f"nas report {shlex.quote(run)} --watch"),)
    steps = [
        *_target(run, numbers, stop=stop),
        *_surer(run, decisions, num_prompts=num_prompts, num_captions=num_captions),
        *_export(run, export=export),
        *_table(numbers),
        *_held_out(run, numbers, score=score, export=export),
        *_tighter(run, numbers, score=score),
    ]
    return tuple(steps)


def _target(run: str, numbers: Numbers, *, stop: str) -> Iterator[NextStep]:
    if numbers.target_met is not False or numbers.latency_ms is None:
        return
    fastest = milliseconds(numbers.latency_ms)
    yield NextStep(
        title=f"Ask for what can be reached: {fastest}",
        why=f"The search ended ({stop}) at {fastest}, the nearest to its target of "
        f"{milliseconds(numbers.target_latency_ms)} that it found. Allow more rounds, protect fewer blocks, or "
        "take a target that can be reached.",
        command=search_command(run, "search.max_rounds=40"),
    )


def _surer(
    run: str, decisions: Sequence[Decision], *, num_prompts: int | None, num_captions: int | None
) -> Iterator[NextStep]:
    known = [each for each in decisions if each.chance is not None]
    unsure = [each for each in known if each.chance is not None and each.chance < SURE]
    if not known or len(unsure) < MANY_UNSURE * len(known):
        return
    wanted = 4 * num_prompts if num_prompts else 100
    more = min(wanted, num_captions or wanted)
    if num_prompts and more <= num_prompts:
        yield NextStep(
            title="Write more captions",
            why=f"{counted(len(unsure), 'decision')} of {len(known)} were less than {percent(SURE)} sure to be as good "
            f"as the best action left over, and the search scored on all that the file of captions holds ({more}). "
            "Four times as many halve the intervals.",
        )
        return
    few = "" if more == wanted else f" The file of captions holds {more}: add some, and four times as many can be had."
    yield NextStep(
        title="Score on more prompts",
        why=f"{counted(len(unsure), 'decision')} of {len(known)} were less than {percent(SURE)} sure to be as good "
        f"as the best action left over. Four times the prompts halve the intervals.{few}",
        command=search_command(run, f"validation.num_prompts={more}", out=f"{run}-{more}-prompts"),
    )


def _export(run: str, *, export: str | None) -> Iterator[NextStep]:
    if export is not None:
        return
    yield NextStep(
        title="Export what was found",
        why="That writes a model that loads, checks it in a clean process, and measures it beside the base model.",
        command=f"nas export {shlex.quote(run)}",
    )


def _table(numbers: Numbers) -> Iterator[NextStep]:
    measured, saved = numbers.measured, numbers.saved
    if measured is None or measured.base_latency_ms is None or saved is None:
        return
    truly = 1 - measured.latency_ms / measured.base_latency_ms
    if abs(truly - saved) < FAR:
        return
    yield NextStep(
        title="Measure a table for this device",
        why=f"The export's machine saves {percent(truly)} where the table predicts {percent(saved)}: the table is "
        "another device's, or that machine was busy. A table of your own predicts your own milliseconds.",
        command="nas latency measure MODEL --out TABLE.json",
    )


def _held_out(run: str, numbers: Numbers, *, score: ScoreLabel, export: str | None) -> Iterator[NextStep]:
    if numbers.held_out is not None or numbers.score is None:
        return
    folder = export or "export"
    yield NextStep(
        title="Judge it on captions that took no part",
        why=f"All {score.words} scores here are selection scores: the result is the best of many on these very "
        "prompts, so its own is too high on average. Draw captions of yours with both models and look.",
        command=f'nas generate {shlex.quote(f"{run}/{folder}")} "a caption of yours"',
    )


def _tighter(run: str, numbers: Numbers, *, score: ScoreLabel) -> Iterator[NextStep]:
    difference, judged_on = numbers.surest
    base, target = numbers.base_latency_ms, numbers.target_latency_ms
    if not numbers.target_met or difference is None or not base or target is None:
        return
    if difference.high < 0 if score.higher_is_better else difference.low > 0:
        return
    most = -difference.low if score.higher_is_better else difference.high
    ratio = round(0.9 * min(target, numbers.latency_ms or target) / base, 2)
    yield NextStep(
        title="Ask for more speed",
        why=f"{judged_on} show no loss so far, though they could not tell one of {number(max(most, 0), digits=3)} from "
        "none. A finished run goes on with a tighter target, from where it stands.",
        command=search_command(run, "search.target_latency_ms=null", f"search.target_ratio={ratio}"),
    )


def search_command(run: str, /, *settings: str, out: str | None = None) -> str:
    """The command that searches with a run's config, as a shell takes it whatever the run is called.

    Args:
        run: The run directory.
        settings: That are other ones than in the config.
        out: The run directory to write; None = the same.
    """
    return shlex.join(["nas", "search", f"{run}/config.yaml", *settings, "--out", run if out is None else out])
