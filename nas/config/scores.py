"""The scores of a config: the run's own, the one that screens, and those that an algorithm asks for."""

from collections.abc import Sequence
from typing import Any

from nas.algorithms.algorithm import Algorithm
from nas.algorithms.combinators.screened import Screened
from nas.algorithms.settings import ScoringSettings, Screen
from nas.config.sections import ExperimentConfig
from nas.evaluation.door import Declaration, Reference
from nas.evaluation.registry import ScoreSpec, screening_settings
from nas.evaluation.settings import CLIP, THROUGH_CLIP
from nas.settings import plain
from search_spaces.files.user_error import PluginError, UserError


def own_score(config: ExperimentConfig, /) -> ScoreSpec:
    """The score that a config names; the settings of CLIP's have a section of their own."""
    if config.score.name != CLIP:
        return ScoreSpec(name=config.score.name, settings=config.score.settings)
    assert config.clip is not None, "the config asks for it"
    return ScoreSpec(name=CLIP, settings=plain(config.clip))


def other_scores(config: ExperimentConfig, /, *, own: ScoreSpec, asked: Sequence[str]) -> tuple[ScoreSpec, ...]:
    """The scores that steps may name beside the run's own: the one that screens, and those that an algorithm asks for.

    Raises:
        UserError: The run's own score is to screen, or one that looks through CLIP without a section `clip`.
    """
    scoring = config.scoring
    others = {name: ScoreSpec(name=name, settings=_of_clip(config, name)) for name in asked if name != own.name}
    if scoring.screen is not Screen.OFF:
        if scoring.by == own.name:
            raise UserError(
                f"`scoring.by` must be another score than the run's own, but both are {own.name}; choose a cheaper one "
                "(`nas plugins`), or set scoring.screen=off"
            )
        try:
            settings = screening_settings(scoring.by, _of_clip(config, scoring.by) | dict(scoring.settings))
        except PluginError as error:
            raise UserError(f"`scoring.by`: {error}") from error
        if scoring.by in THROUGH_CLIP and "model" not in settings:
            raise UserError(
                f"`scoring.by`: {scoring.by} looks through CLIP, but the config has no section `clip`; give it one "
                "with `model` (`shapes` for the bundled model), or choose output_change, which needs none"
            )
        others[scoring.by] = ScoreSpec(name=scoring.by, settings=settings)
    return tuple(others.values())


def screened_on(config: ExperimentConfig, /) -> str | None:
    """What to say of a screen that is off though it is described, or asks for more prompts than decide; else None."""
    scoring, there = config.scoring, config.validation.num_prompts
    if scoring.screen is Screen.OFF:
        if scoring.by == ScoringSettings().by:
            return None
        return (
            f"`scoring.by` is {scoring.by}, but `scoring.screen` is off, so that it decides nothing; set "
            "scoring.screen=alone or scoring.screen=shortlist"
        )
    if scoring.num_prompts <= there:
        return None
    return (
        f"`scoring.num_prompts` is {scoring.num_prompts}, but `validation.num_prompts` is {there}: {scoring.by} "
        f"screens on all {there}; raise the second for more"
    )


def _of_clip(config: ExperimentConfig, name: str) -> dict[str, Any]:
    """The section `clip` as settings of a score that looks through CLIP too."""
    return plain(config.clip) if name in THROUGH_CLIP and config.clip is not None else {}


def check_compares_rounds(score: Declaration, /) -> None:
    """Check that rounds can be compared by a score.

    Raises:
        UserError: It is a distance to each round's own network.
    """
    if score.reference is Reference.ROUND:
        raise UserError(
            f"the score {score.name} is a distance to the network of each round here, by which rounds cannot be "
            "compared; set its `reference` to model, or let it screen (`scoring.by`) and score by another one"
        )


def screened(
    algorithm: Algorithm[Any], /, *, scoring: ScoringSettings, others: Sequence[Declaration]
) -> Algorithm[Any]:
    """An algorithm behind the screen that a config asks for, if it asks for one.

    Args:
        algorithm: Of the config.
        scoring: How it screens.
        others: What the scores say of themselves that are served beside the run's own.

    Raises:
        UserError: The score cannot tell what it is asked, or the algorithm never asks.
    """
    if scoring.screen is Screen.OFF:
        return algorithm
    if not algorithm.declaration.contests:
        raise UserError(
            f"`scoring.screen` is {scoring.screen}, but `search.algorithm` is {algorithm.declaration.name}, which "
            "holds no contests that a cheap score could screen; set scoring.screen=off, or search.algorithm=evolving"
        )
    score = next(other for other in others if other.name == scoring.by)
    _check_screen(scoring, score)
    is_distance = score.is_distance and score.reference is Reference.ROUND
    return Screened(algorithm, scoring=scoring, is_distance=is_distance)


def _check_screen(scoring: ScoringSettings, score: Declaration, /) -> None:
    """Check that a score can tell what changes nothing, where that is all that it is asked for.

    Raises:
        UserError: It cannot.
    """
    if scoring.screen is Screen.FREE and not (score.is_distance and score.reference is Reference.ROUND):
        raise UserError(
            f"with scoring.screen=free the score {score.name} must be a distance to the round's network, which alone "
            "proves that an action changes nothing; choose clip_change, output_change, picture_distance, "
            "latent_distance or block_similarity, or screen by shortlist or alone"
        )
