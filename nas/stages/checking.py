"""What can be known of a pipeline before its first stage: that all settings can be read, and are of one model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.source import find_model
from nas.stages.doing import ready
from nas.stages.outcome import Outcome
from nas.stages.pins import Pins
from nas.stages.settings import PipelineSettings, StageKind
from search_spaces.files.user_error import UserError


def check_stages(settings: PipelineSettings, /, *, base: ModelFolder, folder: Path, root: Path, pins: Pins) -> None:
    """Check all stages, with places that stand in for what they will give.

    Args:
        settings: The pipeline.
        base: Its model.
        folder: That its paths are relative to.
        root: Its directory.
        pins: Which commits are meant.

    Raises:
        UserError: A stage's settings break a law, or its model is neither the pipeline's nor an earlier stage's.
    """
    given: dict[str, Outcome] = {}
    for name, stage in settings.stages.items():
        kind = settings.kind(name)
        try:
            values = ready(stage, kind=kind, folder=folder, outcomes=given, say=_unheard, commit=pins.commit).values
            if kind is not StageKind.EVALUATION:
                _check_model(values, base=base, given=given, root=root)
        except UserError as error:
            raise UserError(f"the stage {name}: {error}") from error
        place = root / name
        given[name] = Outcome(directory=place, folder=place, digest="", num_steps=None, seconds=0.0, is_new=False)


def _check_model(values: Mapping[str, Any], *, base: ModelFolder, given: Mapping[str, Outcome], root: Path) -> None:
    reference = str(values["model"])
    if any(Path(reference).is_relative_to(root / name) for name in given):
        return
    model = find_model(reference, variant=values.get("model_variant"))
    if model.path.resolve() != base.path.resolve() and model.digest() != base.digest():
        raise UserError(
            f"its `model` must be the pipeline's, or what an earlier stage gave, but is {_told(model, reference)}, "
            f"while the pipeline's is {_told(base, str(base.path))}: its report would compare two models; name one of "
            'them in both, or "@STAGE" here'
        )


def _told(model: ModelFolder, reference: str) -> str:
    return f"{model.name} ({reference})"


def _unheard(line: str) -> None:
    """Nothing is done yet."""
