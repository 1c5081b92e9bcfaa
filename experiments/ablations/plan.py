"""The cases, figures and claims of `ablations.yaml`, checked before anything is trained."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from nas.curves.asked.reading import with_whole_paths
from nas.settings import plain, read, settings
from search_spaces.files.strict_yaml import read_yaml
from search_spaces.files.user_error import UserError

FILE: Final = Path(__file__).with_name("ablations.yaml")


class Kind(StrEnum):
    """What is done for a case."""

    STEPS = "steps"  # `nas distill steps`
    DECODER = "decoder"  # `nas distill decoder`
    TRAINING = "training"  # `nas train`
    MODEL = "model"  # nothing: the bundled model as it is


@settings
class Case:
    """One training, by what it changes."""

    kind: Kind = Kind.STEPS
    set: Annotated[Mapping[str, Any], Field(description="settings by dotted keys, over those of its kind")] = field(
        default_factory=dict
    )


@settings
class Claim:
    """What the paper says of two cases."""

    better: str
    than: str
    by: Literal["clip", "kid"]
    paper: Annotated[str, Field(description="the same in words")]
    margin: Annotated[float, Field(ge=0, description="that it may be worse by and still be called as good")] = 0.0


@settings
class Figure:
    """One of the paper's figures."""

    asks: str
    cases: tuple[str, ...]
    claims: tuple[Claim, ...]
    steps: Annotated[int, Field(ge=1, description="that every case draws in")] = 2
    removed: Annotated[tuple[str, ...], Field(description="blocks that are taken out after the training")] = ()

    @model_validator(mode="after")
    def _claims_of_its_cases(self) -> Self:
        if strange := {name for each in self.claims for name in (each.better, each.than)} - {*self.cases}:
            raise UserError(f"claims must be of {', '.join(self.cases)}, but are of {', '.join(sorted(strange))} too")
        return self


@settings
class Ablations:
    """All of them."""

    pictures: Annotated[Path, Field(description="that every case is trained on")]
    configs: Annotated[Mapping[Kind, Path], Field(description="the file that a case of a kind changes")]
    evaluation: Annotated[Mapping[str, Any], Field(description="what is drawn and computed, as `nas evaluate` has it")]
    cases: Mapping[str, Case]
    figures: Annotated[Mapping[str, Figure], Field(description="in order of importance")]
    settings: Annotated[Mapping[Kind, Mapping[str, Any]], Field(description="of all cases of a kind")] = field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _cases_there(self) -> Self:
        if strange := {name for each in self.figures.values() for name in each.cases} - self.cases.keys():
            raise UserError(f"figures must be of `cases`, but {', '.join(sorted(strange))} are none")
        return self


def read_ablations(path: Path = FILE, /) -> Ablations:
    """Read the file; its places are relative to it.

    Raises:
        UserError: It is none, or breaks a law.
    """
    values = read_yaml(path)
    values["pictures"] = (path.parent / values["pictures"]).resolve()
    values["configs"] = {kind: (path.parent / each).resolve() for kind, each in values["configs"].items()}
    values["evaluation"] = with_whole_paths(values["evaluation"], folder=path.parent)
    return read(Ablations, plain(values), name=str(path))
