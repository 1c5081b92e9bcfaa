"""Answers to what readers of a run ask first, from the run alone. Pure."""

from collections.abc import Mapping, Sequence

from nas.reports.page.values import (
    Answer,
    BlockStory,
    Decision,
    NextStep,
    Numbers,
    RoundView,
    Scored,
    ScoreLabel,
)
from nas.reports.page.words import (
    action_label,
    chance,
    counted,
    interval,
    milliseconds,
    number,
    percent,
)
from nas.values.rule import UNTOLD

SURE = 0.9  # a decision this likely to be right is called sure


def answers(
    *,
    numbers: Numbers,
    blocks: Sequence[BlockStory],
    decisions: Sequence[Decision],
    evaluations: Sequence[Scored],
    rounds: Sequence[RoundView],
    score: ScoreLabel,
    steps: Sequence[NextStep] = (),
) -> tuple[Answer, ...]:
    """What readers ask first, answered from the run alone; questions that it cannot answer are left out."""
    names = {block.name: block.label for block in blocks}
    found = (
        _most_important(blocks, score=score),
        _first_gone(decisions, evaluations, score=score, names=names),
        _how_sure(decisions, names=names, score=score),
        _predicted(numbers),
        _total(numbers, rounds),
        _next(steps),
    )
    return tuple(answer for answer in found if answer is not None)


def _most_important(blocks: Sequence[BlockStory], *, score: ScoreLabel) -> Answer | None:
    scored = sorted((block for block in blocks if block.first), key=lambda block: -block.first.loss.mean)  # type: ignore[union-attr]
    if not scored or (first := scored[0].first) is None:
        return None
    top = scored[0]
    rivals = [block for block in scored[1:] if block.first and block.first.loss.high > first.loss.low]
    near = (
        "No other block's interval reaches its own."
        if not rivals
        else f"Its interval overlaps those of {counted(len(rivals), 'other block')}, {rivals[0].label} first."
    )
    surely = sum(block.first is not None and block.first.loss.low > 0 for block in scored)
    near += f" {counted(surely, 'block')} of {len(scored)} surely {'costs' if surely == 1 else 'cost'} something."
    last = top.last
    later = (
        f" In round {last.round}, which scored it last, it is {interval(last.loss)}."
        if last is not None and last.round != first.round
        else ""
    )
    kept = "It stayed." if top.counts and top.counts[-1] > 0 else "It went all the same."
    if top.counts and top.counts[-1] > top.num_base:
        kept = "The search copied it."
    return Answer(
        question="Which block matters most?",
        short=top.label if surely else f"None surely; {top.label} by the mean",
        words=f"Without it {interval(first.loss)} {score.words} is lost in round {first.round}. {near}{later} {kept}"
        f"{_at_the_end(top, scored)}",
        block=top.name,
    )


def _at_the_end(top: BlockStory, scored: Sequence[BlockStory], /) -> str:
    """What mattered most when blocks were last scored, where that is another block than at first."""
    rounds = [block.last.round for block in scored if block.last]
    left = [(block, block.last.loss) for block in scored if block.last and block.last.round == max(rounds)]
    block, loss = max(left, key=lambda each: each[1].mean)
    if block is top or top.first is None or max(rounds) == top.first.round:
        return ""
    copied = "; the search copied it" if block.counts and block.counts[-1] > block.num_base else ""
    return f" Of what was left in round {max(rounds)}, {block.label} mattered most: {interval(loss)}{copied}."


def _first_gone(
    decisions: Sequence[Decision], evaluations: Sequence[Scored], *, score: ScoreLabel, names: Mapping[str, str]
) -> Answer | None:
    first = next((each for each in decisions if each.action.startswith("-")), None)
    if first is None:
        return None
    rivals = [each for each in evaluations if each.round == first.round]
    why = "It was taken without a score of its own."
    if first.loss is None and first.change is not None:
        said = f"{interval(first.change, signed=True)} {first.unit or ''}".rstrip()
        why = (
            f"{score.words} was not asked about its removal: {first.screened_by} said {said}, and it saves "
            f"{milliseconds(first.saved_ms)}."
        )
    if first.loss is not None:
        own = next((each for each in rivals if each.action == first.action), None)
        rank = own.rank if own else None
        place = "the cheapest" if rank == 1 else f"number {rank}" if rank else "one"
        gained = " (a minus is a gain)" if first.loss.mean < 0 else ""
        why = (
            f"Its removal cost {interval(first.loss, signed=True)} {score.words}{gained} and saves "
            f"{milliseconds(first.saved_ms)}: {place} of {len(rivals)} scored actions by {score.words} lost per "
            f"millisecond saved{_by_the_mean(own, rivals)}."
        )
    return Answer(
        question="Which went first, and why?",
        short=names.get(first.action[1:], first.action),
        words=why,
        block=first.action[1:],
    )


def _by_the_mean(own: Scored | None, rivals: Sequence[Scored]) -> str:
    """How a loss was weighed, where its mean alone would have ranked it elsewhere; "" where the mean counted."""
    if own is None or own.weighed is None or own.value is None:
        return ""
    bare = 1 + sum(each.value is not None and each.value < own.value for each in rivals)
    told = ", each loss weighed by how sure it is"
    return told if bare == own.rank else f"{told} (by the bare means of so few prompts it would be number {bare})"


def _how_sure(decisions: Sequence[Decision], *, names: Mapping[str, str], score: ScoreLabel) -> Answer | None:
    known = [each for each in decisions if each.chance is not None]
    if not known:
        return None
    sure = sum(each.chance is not None and each.chance >= SURE for each in known)
    first = known[0]
    about = (
        f"The first, to {action_label(first.action, names)}, is as good as the best action left over"
        + (f" ({action_label(first.runner_up, names)})" if first.runner_up else "")
        + f" with probability {chance(first.chance)}. "
    )
    least = min(known, key=lambda each: each.chance or 0.0)
    wins = (
        " Below 50 %, the action left over more often loses less, but costs more where it does not."
        if (least.chance or 0.0) < 0.5
        else ""
    )
    return Answer(
        question="How sure is that?",
        short=f"{sure} of {len(known)} decisions surer than {percent(SURE)}",
        words=f"{about}The least sure was to {action_label(least.action, names)} in round {least.round}: "
        f"{chance(least.chance)}.{wins}{_as_a_whole(decisions, score=score)}",
    )


def _as_a_whole(decisions: Sequence[Decision], *, score: ScoreLabel) -> str:
    """What the wrong choices of all rounds may have cost; "" where the run does not say it."""
    rounds = {each.round: each for each in decisions if each.chance_right is not None}
    if not rounds:
        return ""
    least = min(rounds.values(), key=lambda each: each.chance_right or 0.0)
    worst = max(each.expected_loss or 0.0 for each in rounds.values())
    within = f"within {number(least.tolerance, digits=4)} {score.words} of" if least.tolerance else "as good as"
    return (
        f" A round's actions together are {within} the best choice with a chance of {chance(least.chance_right)} "
        f"or more (round {least.round}); that choice would in the mean have lost at most {number(worst, digits=4)} "
        f"{score.words} less by what these prompts show. Trials with known losses lost {UNTOLD} times what was shown."
    )


def _predicted(numbers: Numbers) -> Answer | None:
    measured, saved = numbers.measured, numbers.saved
    if measured is None or measured.base_latency_ms is None or saved is None:
        return None
    truly = 1 - measured.latency_ms / measured.base_latency_ms
    return Answer(
        question="Is it as fast as predicted?",
        short=f"{percent(truly)} less latency as measured, {percent(saved)} as predicted",
        words=f"The exported UNet took {milliseconds(measured.latency_ms)} and the base "
        f"{milliseconds(measured.base_latency_ms)} on the machine that exported it; the latency table says "
        f"{milliseconds(numbers.latency_ms)} and "
        f"{milliseconds(numbers.base_latency_ms)} for its own device. {_off(measured.latency_ms, numbers.latency_ms)}"
        "Of another device compare the savings, not the milliseconds.",
    )


def _off(measured_ms: float, predicted_ms: float | None) -> str:
    """How far a prediction is from what was measured."""
    if predicted_ms is None:
        return ""
    far = predicted_ms / measured_ms - 1
    return f"So what is predicted for the found UNet lies {percent(abs(far))} {'above' if far > 0 else 'below'}. "


def _total(numbers: Numbers, rounds: Sequence[RoundView]) -> Answer | None:
    if numbers.num_params is None or not numbers.base_num_params or not rounds:
        return None
    share = 1 - numbers.num_params / numbers.base_num_params
    copied = f" and {numbers.num_copied} {'was' if numbers.num_copied == 1 else 'were'} copied" * bool(
        numbers.num_copied
    )
    return Answer(
        question="What became of its size?",
        short=f"{percent(share)} of its parameters are gone",
        words=f"{numbers.base_num_params / 1e6:,.2f} M became {numbers.num_params / 1e6:,.2f} M as "
        f"{counted(numbers.num_gone, 'block')} went{copied}.",
    )


def _next(steps: Sequence[NextStep]) -> Answer | None:
    if not steps:
        return None
    more = f" {counted(len(steps) - 1, 'more suggestion')} below." if len(steps) > 1 else ""
    return Answer(question="What would one do next?", short=steps[0].title, words=steps[0].why + more)
