"""A pipeline's YAML: stages in their order, each with a config of its own, and what the last folder is made of."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from nas.settings import settings
from search_spaces.files.user_error import UserError

REFERENCE: Final = "@"
FOLDER: Final = "final"  # beside the stages' own: the last folder
RUN: Final = "run"


class StageKind(StrEnum):
    """What a stage does."""

    SEARCH = "search"  # `nas search` and `nas export`
    TRAINING = "training"  # `nas train`
    STEPS = "steps"  # `nas distill steps`
    DECODER = "decoder"  # `nas distill decoder`
    EVALUATION = "evaluation"  # `nas evaluate`


@settings
class StageSettings:
    """One stage."""

    config: Annotated[Path | None, Field(description="YAML of the command that it is; null = all stands in `set`")] = (
        None
    )
    kind: Annotated[
        StageKind | None, Field(description="search, training, steps, decoder or evaluation; null = as it is named")
    ] = None
    set: Annotated[
        Mapping[str, Any],
        Field(description='settings on top, by dotted keys; "@NAME" is the folder that an earlier stage gave'),
    ] = field(default_factory=dict)
    models: Annotated[tuple[str, ...], Field(description="of an evaluation: what it evaluates, folders or @NAME")] = ()


@settings
class FinalSettings:
    """The folder that the pipeline ends in."""

    unet: Annotated[str | None, Field(description="@NAME whose UNet it has; null = the last stage with one")] = None
    decoder: Annotated[str | None, Field(description="@NAME whose decoder it has; null = the last of kind decoder")] = (
        None
    )
    num_steps: Annotated[int | None, Field(ge=1, description="steps; null = those that were distilled, or 50")] = None
    guidance_scale: Annotated[float, Field(ge=1, description="guidance in its README and in the report")] = 7.5


@settings
class ReportSettings:
    """What the report compares with."""

    num_steps: Annotated[int, Field(ge=1, description="steps of the base model")] = 50
    guidance_scale: Annotated[float | None, Field(ge=1, description="of the base model; null = the final's")] = None
    threads: Annotated[int, Field(ge=1, description="CPU threads that times are measured with")] = 1
    max_rounds: Annotated[int, Field(ge=2, description="rounds of measuring at most")] = 30


@settings
class PipelineSettings:
    """All stages."""

    model: Annotated[str, Field(description="the base model: a pipeline folder, hub:ORG/NAME, or shapes")]
    stages: Annotated[Mapping[str, StageSettings], Field(min_length=1, description="in this order, by name")]
    final: Annotated[FinalSettings, Field(description="the folder that it ends in")] = field(
        default_factory=FinalSettings
    )
    report: Annotated[ReportSettings, Field(description="before and after")] = field(default_factory=ReportSettings)

    @model_validator(mode="after")
    def _stages_follow(self) -> Self:
        wrong, known = list[str](), list[str]()
        for name, stage in self.stages.items():
            if not name.isidentifier():
                wrong.append(f"the stage {name!r} must be named by letters, digits and underscores")
            if name.casefold() == FOLDER:
                wrong.append(f"no stage may be named {name}: the last folder is; take another name")
            if stage.kind is None and name not in list(StageKind):
                wrong.append(f"the stage {name} must say its `kind`: {', '.join(StageKind)}")
            for reference in references(stage):
                if stage_of(reference) not in known:
                    wrong.append(
                        f"the stage {name} takes {reference}, but before it stand {', '.join(known) or 'none'}"
                    )
                elif law := self._breaks(reference):
                    wrong.append(f"the stage {name} takes {reference}, but {law}")
            known.append(name)
        for taken in (self.final.unet, self.final.decoder):
            if taken is None:
                continue
            if stage_of(taken) not in known:
                wrong.append(f"`final` takes {taken}, but the stages are {', '.join(known)}")
            elif law := self._breaks(taken, of_folder=True):
                wrong.append(f"`final` takes {taken}, but {law}")
        if wrong:
            raise UserError("; ".join(wrong))
        return self

    def _breaks(self, reference: str, *, of_folder: bool = False) -> str:
        """What is wrong with a reference to a stage that there is; "" = nothing."""
        name, colon, part = reference.removeprefix(REFERENCE).partition(":")
        if colon and (part != RUN or of_folder):
            choice = f"{REFERENCE}{name}" + ("" if of_folder else f" or {REFERENCE}{name}:{RUN}")
            return f"there is no {part!r} of a stage; say {choice}"
        if (self.stages[name].kind or name) == StageKind.EVALUATION:
            return "an evaluation gives no model"
        return ""

    def kind(self, name: str, /) -> StageKind:
        """What a stage does."""
        return self.stages[name].kind or StageKind(name)


def references(stage: StageSettings, /) -> list[str]:
    """The stages that one takes something from, as it says them."""
    return list(_references([*stage.set.values(), *stage.models]))


def _references(value: Any) -> Iterator[str]:
    """Those of a value, however deep."""
    match value:
        case str() if value.startswith(REFERENCE):
            yield value
        case list() | tuple():
            for each in value:
                yield from _references(each)
        case Mapping():
            yield from _references(list(value.values()))


def stage_of(reference: str, /) -> str:
    """The stage that a reference means: "@search" is its folder, "@search:run" its directory."""
    return reference.removeprefix(REFERENCE).partition(":")[0]
