"""Names of scores to scores: ours, and those that plugins bring by entry points of the group `nas.scores`."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Final

from nas.evaluation.clip_judge import ClipJudge
from nas.evaluation.door import Declaration, Score, ScoreError, ScoreFactory
from nas.evaluation.output_change import OutputChange
from nas.evaluation.setting import ScoreSetting
from nas.evaluation.settings import CLIP

GROUP: Final = "nas.scores"
BUILT_IN: Final[Mapping[str, ScoreFactory]] = {CLIP: ClipJudge, OutputChange.name: OutputChange}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSpec:
    """A score by name, with its settings as plain values: what travels to workers."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)


def make_score(name: str, /, *, settings: Mapping[str, Any], setting: ScoreSetting) -> Score:
    """The score of a name, made but not started, so that no model is loaded.

    Args:
        name: One of ours, or of a plugin's.
        settings: Its own, plain values.
        setting: Where it is made.

    Raises:
        ScoreError: There is none of this name, its plugin is broken, or it does not keep the laws of the door.
        ValueError: Settings that it does not take.
    """
    factory = BUILT_IN.get(name) or _plugin(name)
    try:
        inspect.signature(factory).bind(setting, **settings)
    except TypeError as error:
        taken = [
            parameter.name
            for parameter in inspect.signature(factory).parameters.values()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        ]
        raise ScoreError(
            f"the score `{name}` takes the settings {', '.join(taken) or '(none)'}, but got "
            f"{', '.join(settings) or 'none'} ({error}); correct `score.settings`"
        ) from error
    score = factory(setting, **settings)
    declared = Declaration.of(score)
    if declared.name != name:
        raise ScoreError(
            f"a score must have the name of its entry point, but `{name}` calls itself {declared.name!r}; one of the "
            "two names in its plugin must change"
        )
    return score


def _plugin(name: str) -> ScoreFactory:
    """The factory that a plugin's entry point names."""
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        known = ", ".join([*BUILT_IN, *sorted(found)])
        raise ScoreError(
            f"`score.name` must be one of {known}, but got {name!r}; install the plugin that brings it as an entry "
            f"point of {GROUP}"
        )
    try:
        factory: ScoreFactory = found[name].load()
    except Exception as error:  # whatever a stranger's module raises
        distribution = found[name].dist
        raise ScoreError(
            f"the score `{name}` of {distribution.name if distribution else 'a plugin'} cannot be loaded from "
            f"{found[name].value} ({type(error).__name__}: {error}); repair or remove the plugin"
        ) from error
    return factory
