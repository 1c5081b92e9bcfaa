"""Rates of blocks by name, and the names that settings may use."""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from nas.training.skipping.settings import Skipping
from search_spaces.files.user_error import UserError
from search_spaces.unets.space import KINDS, UNetSpace


def rates_of(space: UNetSpace, settings: Skipping, /, *, protected: Collection[str] = ()) -> Mapping[str, float]:
    """The rate of every block of a space's base model, by name; that of a protected one is 0.

    The most particular one counts: of the kind in its stage, of the stage, of the kind, of all.

    Raises:
        UserError: Kinds, stages or protected blocks that the model does not have; all of them at once.
    """
    check_names(space, settings, protected=protected)
    rates = {}
    for block in space.block_names:
        kind, stage = _parts(block)
        by_kind = settings.by_kind.get(kind, settings.probability)
        by_stage = settings.by_stage.get(stage, by_kind)
        rates[block] = 0.0 if block in protected else settings.by_stage.get(f"{kind}[{stage}]", by_stage)
    return MappingProxyType(rates)


def check_names(space: UNetSpace, settings: Skipping, /, *, protected: Collection[str] = ()) -> None:
    """Check that every kind, stage and block with a rate of its own exists.

    Raises:
        UserError: Some do not; the message lists them all, and what there is.
    """
    stages = {stage for _, stage in map(_parts, space.block_names)}
    pairs = {f"{kind}[{stage}]" for kind, stage in map(_parts, space.block_names)}
    laws = (
        ("drop_probability_by_kind", "kinds", settings.by_kind, {str(kind) for kind in KINDS}),
        ("drop_probability_by_stage", "stages", settings.by_stage, stages | pairs),
        ("protected", "blocks", protected, space.block_names),
    )
    wrong = [
        f"`{name}` names {what} that the model does not have: {unknown}; choose among {sorted(known)}"
        for name, what, named, known in laws
        if (unknown := sorted(set(named) - known))
    ]
    if wrong:
        raise UserError("; and ".join(wrong))


def _parts(block: str) -> tuple[str, str]:
    """Kind and stage of a block: "resnet[up.0,1]" is a "resnet" of "up.0"."""
    kind, _, place = block.removesuffix("]").partition("[")
    return kind, place.rpartition(",")[0]
