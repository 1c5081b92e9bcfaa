"""Several runs side by side: which settings differ, what each reached, and how sure a difference of scores is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Final

import pandas as pd

from nas.config.identity.places import without_places
from nas.reports.hypervolume import FrontComparison, compare_fronts
from nas.reports.summary import RunSummary, summarise
from nas.runs.changes import changed_keys
from nas.runs.run import Run, Runs
from nas.scores.intervals import Interval, paired_loss
from search_spaces.files.user_error import UserError

_ABSENT: Final = "(not there)"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """What a run's result scores more than the first run's, on the prompts that both were scored on.

    Attributes:
        gain: Per prompt, positive = this run's is better; None where they share no prompts, protocol or score.
        why_not: Why there is none, in words; "" where there is one.
    """

    gain: Interval | None
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Several runs side by side; everything is in their order.

    Attributes:
        rows: Each run in a row.
        settings: Settings that are not the same in all, by dotted key.
        differences: Of each run to the first one; None for the first.
        actions: What each executed up to its result.
        common: Actions that all executed.
        only: Actions that this run executed and not all others.
        notices: What is missing or damaged, with the run's name.
        fronts: Hypervolumes over what each spent; None where scores differ or one has scored nothing.
    """

    rows: tuple[RunSummary, ...]
    settings: Mapping[str, tuple[Any, ...]]
    differences: tuple[PairedDifference | None, ...]
    actions: tuple[tuple[str, ...], ...]
    common: tuple[str, ...]
    only: tuple[tuple[str, ...], ...]
    notices: tuple[str, ...]
    fronts: FrontComparison | None = None

    def frame(self) -> pd.DataFrame:
        """One row per run: the columns of `RunSummary`, `paired_gain` with its ends, and a column per setting."""
        rows = []
        for index, row in enumerate(self.rows):
            difference = self.differences[index]
            gain = None if difference is None else difference.gain
            rows.append(
                asdict(row)
                | {
                    "paired_gain": None if gain is None else gain.mean,
                    "paired_gain_low": None if gain is None else gain.low,
                    "paired_gain_high": None if gain is None else gain.high,
                    "paired_num_prompts": None if gain is None else gain.num_prompts,
                    "actions": " ".join(self.actions[index]),
                    "hypervolume": None if self.fronts is None else self.fronts.runs[index].hypervolume,
                    "passes": None if self.fronts is None else self.fronts.runs[index].passes,
                }
                | {key: str(values[index]) for key, values in self.settings.items()}
            )
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; numbers that are not there are None."""
        return {
            "runs": [
                _finite(asdict(row))
                | {
                    "paired": None if difference is None else asdict(difference),
                    "actions": list(actions),
                    "only": list(only),
                }
                for row, difference, actions, only in zip(
                    self.rows, self.differences, self.actions, self.only, strict=True
                )
            ],
            "settings": {key: list(values) for key, values in self.settings.items()},
            "common_actions": list(self.common),
            "notices": list(self.notices),
            "fronts": None if self.fronts is None else self.fronts.to_dict(),
        }


def compare(runs: Runs, /, *, now: float) -> RunComparison:
    """Put runs side by side.

    Args:
        runs: Two or more.
        now: Unix seconds, for their ages.

    Raises:
        UserError: Fewer than two.
    """
    if len(runs) < 2:
        raise UserError(f"a comparison needs two runs or more, but got {len(runs)}; give another run directory")
    rows = tuple(summarise(run, now=now, name=name) for name, run in zip(runs.names, runs, strict=True))
    first, *others = runs
    actions = tuple(_actions(run, row) for run, row in zip(runs, rows, strict=True))
    common = tuple(action for action in dict.fromkeys(actions[0]) if all(action in each for each in actions))
    return RunComparison(
        rows=rows,
        settings=differing_settings(list(runs)),
        differences=(None, *(_paired(first, rows[0], run, row) for run, row in zip(others, rows[1:], strict=True))),
        actions=actions,
        common=common,
        only=tuple(tuple(action for action in each if action not in common) for each in actions),
        notices=tuple(f"{row.name}: {notice}" for run, row in zip(runs, rows, strict=True) for notice in run.notices),
        fronts=compare_fronts(runs),
    )


def _actions(run: Run, row: RunSummary) -> tuple[str, ...]:
    """What was executed before the round of the result."""
    rounds = run.rounds()
    before = rounds[rounds["round"] < (-1 if row.round is None else row.round)]
    return tuple(" ".join(before["actions"]).split())


def differing_settings(runs: Sequence[Run], /) -> dict[str, tuple[Any, ...]]:
    """Settings that are not the same in all runs, by dotted key, and contents that are not, by their digests.

    Where files stand is no difference; what is in them is.
    """
    configs = [without_places(run.config) for run in runs]
    keys = dict.fromkeys(key for config in configs[1:] for key in sorted(changed_keys(configs[0], config)))
    settings = {key: tuple(_at(config, key) for config in configs) for key in keys}
    digests = [run.start.get("digests", {}) for run in runs]
    for name in dict.fromkeys(name for each in digests for name in each if name != "config"):
        found = tuple(each.get(name, _ABSENT) for each in digests)
        if len(set(found)) > 1:
            settings[f"content of {name}"] = found
    return settings


def _at(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _ABSENT
        value = value[part]
    return value


_PAIRED_BY: Final = ("made_by", "protocol_digest", "prompt_id")


def _paired(first: Run, before: RunSummary, run: Run, after: RunSummary) -> PairedDifference:
    """What a run's result scores more than the first one's, prompt by prompt."""
    if first.score != run.score:
        return PairedDifference(gain=None, why_not=f"it is by another score: {run.score}, not {first.score}")
    if before.round is None or after.round is None:
        return PairedDifference(gain=None, why_not="one of both has scored nothing yet")
    scores = []
    for each, row in ((first, before), (run, after)):
        assert row.round is not None
        try:
            frame = each.scores(rounds=[row.round], arch_ids=[row.arch_id or ""], columns=[*_PAIRED_BY, each.score])
        except (UserError, OSError):
            return PairedDifference(gain=None, why_not="its scores, or those of the first, are not in the run")
        scores.append({tuple(key): number for *key, number in frame.itertuples(index=False)})
    shared = [key for key in scores[0] if key in scores[1]]
    if len(shared) < 2:
        why = "they were scored on other prompts, in another way, or by another kind of machine"
        return PairedDifference(gain=None, why_not=why)
    loss = paired_loss(
        [scores[1][key] for key in shared],
        [scores[0][key] for key in shared],
        higher_is_better=run.higher_is_better,
    )
    return PairedDifference(gain=loss)


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in values.items()}
