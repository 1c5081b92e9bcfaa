"""StockSpace: the architectures of a UNet that an unmodified `UNet2DConditionModel` config builds without dead weight.

Its actions lead from one such architecture to the next. Where diffusers ties blocks together they are compound: a
whole stage's cross-attention, a position of a down stage with one of the up stage that takes its skips (BK-SDM's
pairs), the mid block's halves, the innermost stages.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from search_spaces.actions import Action, AnyAction, PositionAction, Sign, Steps, together
from search_spaces.architecture import Architecture, ArchitectureError, Position
from search_spaces.blocks import BlockKind, BlockSignature
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS
from search_spaces.unets.space import UNetSpace
from search_spaces.unets.stock_law import depths_of, innermost_down, mid_stage, stock_reasons
from search_spaces.unets.wiring import mirrored


class SpaceForm(StrEnum):
    """Which architectures a search may visit: any of a UNet's, or those that a stock diffusers config builds."""

    ANY = "any"
    STOCK = "stock"


@dataclass(frozen=True, slots=True, kw_only=True)
class StockSpace(UNetSpace):
    """The stock architectures of a base UNet; `removals` and `copies` never leave them."""

    def removals(self, architecture: Architecture, /) -> tuple[AnyAction, ...]:
        """Every A- that can be executed, compound where blocks are tied."""
        return self._leading_on(self._removals(architecture), architecture)

    def copies(self, architecture: Architecture, /) -> tuple[AnyAction, ...]:
        """Every A+ that can be executed: deeper cross-attentions, and what is gone brought back."""
        return self._leading_on(self._copies(architecture), architecture)

    def _leading_on(self, candidates: Iterator[Steps], architecture: Architecture) -> tuple[AnyAction, ...]:
        actions = dict.fromkeys(together(steps) for steps in candidates if steps)
        return tuple(action for action in actions if self.why_not(action, architecture=architecture) is None)

    def why_not(self, action: AnyAction, /, *, architecture: Architecture) -> str | None:
        """Why an action cannot be executed on an architecture of this space; None when it can."""
        try:
            self.check(action.apply(architecture))
        except ArchitectureError as error:
            return f"{action} cannot be executed: {error}"
        return None

    def check(self, architecture: Architecture, /) -> None:
        """Check that an architecture belongs to this space.

        Raises:
            ArchitectureError: It does not; the message lists every violation.
        """
        UNetSpace.check(self, architecture)  # a dataclass with slots is another class than `super()` knows
        if reasons := stock_reasons(architecture, space=self):
            raise ArchitectureError("no stock diffusers config builds this architecture: " + "; ".join(reasons))

    def reachable_signatures(
        self, *, height: int | None = None, width: int | None = None, context_tokens: int = DEFAULT_CONTEXT_TOKENS
    ) -> tuple[BlockSignature, ...]:
        """Every signature that some architecture of this space may hold, sorted: no skipped ResNets among them."""
        whole = UNetSpace(**{field.name: getattr(self, field.name) for field in fields(self)})
        signatures = whole.reachable_signatures(height=height, width=width, context_tokens=context_tokens)
        return tuple(signature for signature in signatures if signature.kind is not BlockKind.SHORTCUT)

    def _removals(self, architecture: Architecture) -> Iterator[Steps]:
        for stage in architecture.stages:
            for p in stage.positions:
                if p.cross_attentions:
                    yield _cross_attentions(Sign.REMOVE, stage.place, p)
        yield self._tied(architecture, Sign.REMOVE)
        for stage in architecture.stages:
            yield tuple(
                step
                for p in stage.positions
                for step in _cross_attentions(Sign.REMOVE, stage.place, p, num=p.cross_attentions)
            )
        for down, up in mirrored(self.stages):
            yield from (
                (*_position(down, p), *_position(up, q))
                for p in _positions(architecture, down)
                for q in _positions(architecture, up)
            )
        yield from (_position("mid", p) for p in reversed(_positions(architecture, "mid")))
        if (mid := mid_stage(architecture)) is not None and len(mid.positions) == 2:
            first, second = mid.positions  # the form of one ResNet: without the cross-attention and the second ResNet
            yield (*_cross_attentions(Sign.REMOVE, "mid", first, num=first.cross_attentions), *_position("mid", second))
        yield _whole(architecture, "mid")
        innermost = innermost_down(architecture).place
        yield (*_whole(architecture, innermost), *_whole(architecture, dict(mirrored(self.stages))[innermost]))

    def _copies(self, architecture: Architecture) -> Iterator[Steps]:
        for stage in architecture.stages:
            for p in stage.positions:
                yield _cross_attentions(Sign.COPY, stage.place, p)
        yield self._tied(architecture, Sign.COPY)
        for stage in architecture.stages:
            yield tuple(step for p in stage.positions for step in _cross_attentions(Sign.COPY, stage.place, p))
        for lost in self._lost(architecture):
            yield tuple(step.inverse for step in reversed(lost))

    def _lost(self, architecture: Architecture) -> Iterator[Steps]:
        """Removals from the base model that are undone together."""
        own = {geometry.place: geometry.depths for geometry in self.stages}
        for stage in architecture.stages:
            if not any(depths_of(stage)):
                yield tuple(
                    step
                    for p in stage.positions
                    for step in _cross_attentions(Sign.REMOVE, stage.place, p, num=own[stage.place][p.source])
                )
        kept = {(place, p.source) for place, p in architecture.positions()}
        gone = {place: [p for p in self.base.stage(place).positions if (place, p.source) not in kept] for place in own}
        for down, up in mirrored(self.stages):
            yield from (
                (*_position(down, p), *_position(up, q))
                for p in self._as_its_stage(gone[down], down, architecture)
                for q in self._as_its_stage(gone[up], up, architecture)
            )
            yield (*_each(down, gone[down]), *_each(up, gone[up]))
        yield _each("mid", gone["mid"]) if "mid" in gone else ()
        if (mid := mid_stage(architecture)) is not None and "mid" in gone and len(mid.positions) == 1:
            (left,) = mid.positions
            depth = own["mid"][left.source]
            yield (*_cross_attentions(Sign.REMOVE, "mid", left, num=depth), *_each("mid", gone["mid"]))

    def _as_its_stage(self, positions: list[Position], place: str, architecture: Architecture) -> list[Position]:
        """Base positions as they come back into a stage that attends or not."""
        there = [stage for stage in architecture.stages if stage.place == place]
        attends = not there or any(depths_of(there[0]))
        return [p if attends else replace(p, cross_attentions=0) for p in positions]

    def _tied(self, architecture: Architecture, sign: Sign) -> Steps:
        """One layer of the mid block and one of the innermost stage's first position, which share a config entry."""
        innermost, mid = innermost_down(architecture), mid_stage(architecture)
        if mid is None:
            return ()
        first = innermost.positions[0]
        if not (mid.positions[0].cross_attentions and first.cross_attentions):
            return ()
        return (
            *_cross_attentions(sign, innermost.place, first),
            *_cross_attentions(sign, "mid", mid.positions[0]),
        )


def _positions(architecture: Architecture, place: str) -> tuple[Position, ...]:
    return next((stage.positions for stage in architecture.stages if stage.place == place), ())


def _cross_attentions(sign: Sign, place: str, position: Position, *, num: int = 1) -> Steps:
    step = Action(sign=sign, kind=BlockKind.CROSS_ATTENTION, stage=place, position=position.source)
    return (step,) * num


def _position(place: str, position: Position) -> Steps:
    """Everything that a position holds, and the position itself."""
    resnet = Action(sign=Sign.REMOVE, kind=BlockKind.RESNET, stage=place, position=position.source)
    return (
        *_cross_attentions(Sign.REMOVE, place, position, num=position.cross_attentions),
        *(resnet,) * position.resnets,
        PositionAction(sign=Sign.REMOVE, stage=place, position=position.source),
    )


def _each(place: str, positions: list[Position] | tuple[Position, ...]) -> Steps:
    return tuple(step for position in positions for step in _position(place, position))


def _whole(architecture: Architecture, place: str) -> Steps:
    return _each(place, _positions(architecture, place))
