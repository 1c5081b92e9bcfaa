"""What tells two architectures of one space apart: every gene that differs, and the actions that lead across."""

from collections.abc import Iterator
from dataclasses import dataclass

from search_spaces.actions import GENES, Action, AnyAction, PositionAction, Sign, Steps, together
from search_spaces.architecture import Architecture, Position
from search_spaces.unets.space import KINDS, UNetSpace
from search_spaces.unets.wiring import mirrored


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionChange:
    """Genes of one position before and after; None = the position is not there."""

    place: str
    source: int
    before: Position | None
    after: Position | None


def changed_positions(before: Architecture, after: Architecture, /, *, space: UNetSpace) -> tuple[PositionChange, ...]:
    """Every position whose genes differ, in the order of the base model's forward pass."""
    old, new = _genes(before), _genes(after)
    keys = [(place, position.source) for place, position in space.base.positions()]
    return tuple(
        PositionChange(place=place, source=source, before=old.get((place, source)), after=new.get((place, source)))
        for place, source in keys
        if old.get((place, source)) != new.get((place, source))
    )


def actions_between(before: Architecture, after: Architecture, /, *, space: UNetSpace) -> tuple[AnyAction, ...]:
    """Actions that lead from one architecture to another; all on the way are in a model's *any* space if both ends are.

    Positions that come or go do so together with those that the skips tie to them.
    """
    changes = changed_positions(before, after, space=space)
    actions: list[AnyAction] = []
    for change in changes:
        if change.before is not None and change.after is not None:
            actions += _moves(change.place, change.before, change.after)
    old, new = _genes(before), _genes(after)
    for places in (*mirrored(space.stages), ("mid",)):
        own = [(place, p) for place, p in space.base.positions() if place in places]
        comes = [gene for gene in own if _key(gene) in new.keys() - old.keys()]
        goes = [gene for gene in own if _key(gene) in old.keys() - new.keys()]
        if comes and goes:  # all come and then some go, since a stage may never lack what its mirror has
            comes = [gene for gene in own if _key(gene) not in old]
            goes = [gene for gene in own if _key(gene) not in new]
        for moving, genes, sign in ((comes, new, Sign.COPY), (goes, old, Sign.REMOVE)):
            steps = tuple(s for place, p in moving for s in _emptied(place, genes.get((place, p.source), _empty(p))))
            if steps:
                actions.append(together(steps) if sign is Sign.REMOVE else together(steps).inverse)
    return tuple(actions)


def _key(gene: tuple[str, Position]) -> tuple[str, int]:
    return gene[0], gene[1].source


def _empty(position: Position) -> Position:
    return Position(resnets=0, cross_attentions=0, source=position.source)


def _genes(architecture: Architecture) -> dict[tuple[str, int], Position]:
    return {(place, position.source): position for place, position in architecture.positions()}


def _moves(place: str, before: Position, after: Position) -> Iterator[Action]:
    for kind in KINDS:
        change = getattr(after, GENES[kind]) - getattr(before, GENES[kind])
        sign = Sign.COPY if change > 0 else Sign.REMOVE
        for _ in range(abs(change)):
            yield Action(sign=sign, kind=kind, stage=place, position=before.source)


def _emptied(place: str, position: Position) -> Steps:
    gone = PositionAction(sign=Sign.REMOVE, stage=place, position=position.source)
    return (*_moves(place, position, _empty(position)), gone)
