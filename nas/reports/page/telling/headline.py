"""The headline of a run, which states the result, and what it rests on. Pure."""

from nas.reports.page.values import (
    Estimate,
    Numbers,
    ScoreLabel,
    State,
)
from nas.reports.page.words import (
    counted,
    digits_of,
    interval,
    milliseconds,
    number,
    percent,
)


def headline(numbers: Numbers, /, *, state: State, score: ScoreLabel) -> str:
    """The result in one sentence."""
    saved = numbers.saved
    if saved is None:
        return "Nothing is scored yet" if state == "running" else "Nothing was scored"
    share = round(100 * saved)
    speed = f"{percent(abs(saved))} {'less' if share > 0 else 'more'} latency" if share else "As fast as it was"
    if state == "finished" and numbers.target_met is False:
        speed = f"Target missed: {speed[0].lower()}{speed[1:]}"
    elif state != "finished":
        speed += " so far"
    parts = [f"{speed} with {numbers.num_gone} of {numbers.num_blocks} blocks gone" if numbers.num_blocks else speed]
    if numbers.num_copied:
        parts.append(f"{number(numbers.num_copied, digits=0)} copied")
    difference, judged_on = numbers.surest
    if difference is not None:
        parts.append(_verdict(difference, judged_on, score=score))
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _verdict(difference: Estimate, judged_on: str, *, score: ScoreLabel) -> str:
    """What became of the score, in words."""
    is_worse = (difference.mean < 0) is score.higher_is_better
    if not difference.excludes_zero:
        return f"no change of {score.words} that {judged_on} can show"
    size = number(abs(difference.mean), digits=digits_of(difference))
    return f"{size} {score.words} {'lost' if is_worse else 'gained'}"


def standfirst(numbers: Numbers, /, *, state: State, score: ScoreLabel, num_rounds: int) -> tuple[str, ...]:
    """What the headline rests on."""
    if numbers.latency_ms is None or numbers.base_latency_ms is None:
        return ()
    now, base, target = (
        milliseconds(each) for each in (numbers.latency_ms, numbers.base_latency_ms, numbers.target_latency_ms)
    )
    met = numbers.target_latency_ms is not None and numbers.latency_ms <= numbers.target_latency_ms
    sentences = [
        f"One pass of the UNet is predicted to take {now} instead of {base}, "
        + (f"within the target of {target}" if met else f"and the target is {target}")
        + (f"; {counted(num_rounds, 'round')} so far." if state != "finished" else ".")
    ]
    lower = "" if score.higher_is_better else " (lower is better)"
    if numbers.held_out is not None and numbers.base_held_out is not None:
        went = _went(numbers.base_held_out, numbers.held_out)
        paired = _paired(numbers.held_out_difference, num=numbers.num_held_out, of="caption")
        sentences.append(f"On captions that took no part, {score.words} score {went}{lower}; {paired}")
    if numbers.score is not None and numbers.base_score is not None:
        paired = _paired(numbers.difference, num=numbers.num_prompts, of="prompt")
        if numbers.is_start:
            paired = "the search began with it."
        sentences.append(f"{score.words} selection score {_went(numbers.base_score, numbers.score)}{lower}; {paired}")
    return tuple(sentences)


def _went(base: Estimate, now: Estimate) -> str:
    digits = max(3, digits_of(now))
    return f"{number(base.mean, digits=digits)} \N{RIGHTWARDS ARROW} {number(now.mean, digits=digits)}"


def _paired(difference: Estimate | None, *, num: int | None, of: str) -> str:
    """How far found and base lie apart, and whether that is told from chance."""
    if difference is None:
        return "the paired difference is not known: the run holds no scores of both, prompt by prompt."
    over = f"over {counted(num, of)}" if num else f"{of} by {of}"
    verdict = (
        f"the {of}s tell the two apart" if difference.excludes_zero else f"too close for these {of}s to tell apart"
    )
    return f"paired difference {interval(difference, signed=True)} {over}: {verdict}."
