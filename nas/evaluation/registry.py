"""Names of scores to scores: ours, and those that plugins bring by entry points of the group `nas.scores`."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from latency.plugins import Door
from nas.evaluation.block_similarity import BlockSimilarity
from nas.evaluation.clip.change import ClipChange
from nas.evaluation.clip.glimpse import ClipGlimpse
from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.distances import LatentDistance, PictureDistance
from nas.evaluation.door import Declaration, Reference, Score, ScoreError, ScoreFactory
from nas.evaluation.output_change import OutputChange
from nas.evaluation.setting import ScoreSetting
from nas.evaluation.settings import CLIP, CLIP_CHANGE, CLIP_GLIMPSE
from nas.evaluation.training_loss import TrainingLoss
from search_spaces.files.user_error import PluginError

GROUP: Final = "nas.scores"
BUILT_IN: Final[Mapping[str, ScoreFactory]] = {
    CLIP: ClipJudge,
    **{score.name: score for score in (OutputChange, PictureDistance, LatentDistance, BlockSimilarity, TrainingLoss)},
    CLIP_CHANGE: ClipChange,
    CLIP_GLIMPSE: ClipGlimpse,
}


SCREENING: Final[Mapping[str, Any]] = {"reference": str(Reference.ROUND), "relative": True}


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
        PluginError: There is none of this name, or its plugin is broken.
        ScoreError: It does not keep the laws of the door.
        ValueError: Settings that it does not take.
    """
    factory = score_door().find(name)
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
            f"{', '.join(settings) or 'none'} ({error}); correct `score.settings`, "
            "or `scoring.settings` where it screens"
        ) from None
    score = factory(setting, **settings)
    declared = Declaration.of(score)
    if declared.name != name:
        raise ScoreError(
            f"a score must have the name of its entry point, but `{name}` calls itself {declared.name!r}; one of the "
            "two names in its plugin must change"
        )
    return score


def screening_settings(name: str, given: Mapping[str, Any], /) -> dict[str, Any]:
    """Settings of a score that screens: a distance is relative and to the round's network, unless others are given.

    Raises:
        PluginError: There is no score of this name, or its plugin is broken.
    """
    taken = inspect.signature(score_door().find(name)).parameters
    return {key: value for key, value in SCREENING.items() if key in taken} | dict(given)


def score_paths(name: str, /) -> tuple[str, ...]:
    """Settings of a score that are paths, as its factory declares them by `paths`.

    Raises:
        PluginError: There is no score of this name, its plugin is broken, or it declares what it does not take.
    """
    factory = score_door().find(name)
    declared: object = getattr(factory, "paths", ())
    taken = inspect.signature(factory).parameters
    if not isinstance(declared, tuple) or any(each not in taken for each in declared):
        raise PluginError(
            f"`paths` of the score `{name}` must be a tuple of names of its settings, but is {declared!r}; correct its "
            "plugin"
        )
    return declared


def score_door() -> Door[ScoreFactory]:
    """Ours and the plugins' scores."""
    return Door(GROUP, noun="score", option="`score.name`", ours=BUILT_IN, check=_flaw)


def _flaw(value: object, name: str) -> str:
    return "" if callable(value) else f"must be a class or function that makes a score, but is {value!r}"
