"""The end of `nas search` in words: what was found, how sure its numbers are, and what to do next."""

from math import isfinite
from pathlib import Path
from shlex import quote

from rich.table import Table

from nas.algorithms.problem import LATENCY
from nas.cli.screen.console import Screen
from nas.config.experiment import Experiment
from nas.evaluation.settings import CLIP
from nas.reports.limits import in_words, limit_sentences
from nas.runs.comparison import Comparison, compared
from nas.runs.directory import RunDirectory
from nas.runs.spec import FoundArchitecture
from nas.runs.trace import read_trace
from nas.scores.intervals import Interval
from nas.scores.labels import score_label
from nas.scores.store import ScoreStore
from search_spaces.unets.view import counts_by_paper_stage


def conclude(screen: Screen, experiment: Experiment, found: FoundArchitecture, out: Path, /) -> None:
    """Say what a search found."""
    space = experiment.space
    table = Table(title="counts per stage, before -> after")
    for name in ("stage", "cross-attentions", "ResNets"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    before, after = counts_by_paper_stage(space, space.base), counts_by_paper_stage(space, found.architecture)
    for old, new in zip(before, after, strict=True):
        table.add_row(
            old["paper_stage"],
            f"{old['num_cross_attentions']} -> {new['num_cross_attentions']}",
            f"{old['num_resnets']} -> {new['num_resnets']}",
        )
    screen.print(table)
    saved = 1 - found.predicted_latency_ms / found.base_latency_ms
    screen.sentence(
        f"predicted latency {found.base_latency_ms:.3f} -> {found.predicted_latency_ms:.3f} ms ({saved:.0%} less)"
    )
    for line in score_lines(found, _compared(experiment, found, out), score=experiment.score.name):
        screen.sentence(line)
    if found.truth is None:
        screen.sentence("a score of captions that no decision saw needs some held out: `validation.held_out`")
    screen.sentence(
        f"parameters {space.num_params(space.base):,} -> {space.num_params(found.architecture):,}, "
        f"{len(found.actions)} actions"
    )
    reached = "target met" if found.target_met else f"TARGET OF {found.target_latency_ms:.3f} ms NOT MET"
    if found.missed_by.keys() - {LATENCY}:
        reached = f"LIMITS NOT KEPT: {in_words(found.missed_by)}"
    for sentence in limit_sentences(read_trace(RunDirectory(out).trace_path)):
        screen.sentence(sentence)
    screen.sentence(f"{reached}, search {found.stop}; spec in {out / 'architecture.json'}")
    place = quote(str(out))
    screen.sentence(f"next: nas report {place} tells it as a page, nas export {place} writes the model")


def score_lines(found: FoundArchitecture, comparison: Comparison, /, *, score: str) -> list[str]:
    """Scores of the start and of what was found, what was lost between them, and what to think of it.

    Args:
        found: What was found.
        comparison: With what it started from.
        score: Name of the score.
    """
    label = score_label(score)
    base, end, loss = found.base_clip, found.clip, comparison.loss
    num, sure = end.num_prompts, f"{end.confidence:.0%}"
    start = "start" if found.start is not None else "base"
    weights = (
        "both were scored with the same weights"
        if comparison.same_weights
        else f"the {start} was scored with the weights of the first round, the found one with round {found.round}'s"
    )
    lines = [
        f"{label} (selection scores, {num} prompts, {sure} intervals): {start} {_interval(base)} -> "
        f"found {_interval(end)}; {weights}"
    ]
    if loss is not None:
        word = "no difference that these prompts can show" if loss.low <= 0 <= loss.high else (
            "worse" if loss.mean > 0 else "better"
        )  # fmt: skip
        lines.append(f"lost per prompt, paired: {loss.mean:+.4f} [{loss.low:+.4f}, {loss.high:+.4f}]: {word}")
    if found.truth is not None:
        lines.append(f"{label} (held-out scores, of captions that no decision saw): {found.truth.words()}")
    if why := noise(base, comparison, score=score):
        lines.append(f"warning: {why}; what was removed may have been chosen by chance")
    return lines


def noise(base: Interval, comparison: Comparison, /, *, score: str) -> str | None:
    """Why the scores tell nothing; None where they may tell something."""
    if not (isfinite(base.low) and isfinite(base.high)):
        return f"{base.num_prompts} prompt has no interval: raise `validation.num_prompts`"
    if score == CLIP and base.low <= 0:
        return (
            f"the interval of the {score_label(score)} score that it started from, {_interval(base)}, covers 0, the "
            "score of pictures that have nothing to do with their captions: raise `validation.num_prompts`, or see "
            "what the model draws (`images/` of the run)"
        )
    num, told = comparison.num_actions, comparison.num_told_apart
    if num and told <= 2 * (1 - base.confidence) * num:  # twice what chance alone gives
        return (
            f"of the {num} actions scored first, {told or 'none'} surely changed the score, where chance alone gives "
            f"{(1 - base.confidence) * num:.0f}: raise `validation.num_prompts`, or see what the model draws"
        )
    return None


def _interval(interval: Interval) -> str:
    return f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def _compared(experiment: Experiment, found: FoundArchitecture, out: Path) -> Comparison:
    run, config = RunDirectory(out), experiment.config
    return compared(
        read_trace(run.trace_path),
        store=run.scores if config.score_store is None else ScoreStore.existing(config.score_store),
        arch_id=found.architecture.arch_id,
        weights_digest=found.digests["weights"],
        score=experiment.score.name,
        higher_is_better=experiment.score.higher_is_better,
        confidence=config.validation.confidence,
    )
