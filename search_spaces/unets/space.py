"""UNetSpace: what may be removed or copied in a UNet, why not, and what every architecture of it counts.

Made from a diffusers config by `search_spaces.unets.diffusers_config`. Which blocks an architecture consists of says
`search_spaces.unets.shape`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np

from search_spaces.actions import GENES, Action, AnyAction, CompoundAction, Sign
from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.blocks import BlockKind, BlockSignature
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS, Site, UNetShape
from search_spaces.unets.wiring import (
    own_in_channels,
    resnet_in_channels,
    unpaired_skips,
)

DEFAULT_MAX_COPIES: Final = 2  # per block: one default for spaces, searches, tables and kits, so that they fit
KINDS: Final = (BlockKind.CROSS_ATTENTION, BlockKind.RESNET)
COPYING: Final = 0.2  # share of copies among the steps to a random architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetSpace(UNetShape):
    """All architectures that removing and copying blocks of one base UNet can reach.

    Attributes:
        max_copies: How many copies one block may get.
    """

    max_copies: int = DEFAULT_MAX_COPIES

    @property
    def digest(self) -> str:
        """Digest of all that decides what is in the space."""
        text = json.dumps({"form": type(self).__name__, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def block_names(self) -> frozenset[str]:
        """Blocks of the base model that actions are about: "resnet[mid,0]"."""
        return frozenset(
            f"{kind}[{place},{position.source}]"
            for place, position in self.base.positions()
            for kind in KINDS
            if getattr(position, GENES[kind])
        )

    def removals(self, architecture: Architecture, /) -> tuple[AnyAction, ...]:
        """Every A- that can be executed."""
        return self._possible(architecture, Sign.REMOVE)

    def copies(self, architecture: Architecture, /) -> tuple[AnyAction, ...]:
        """Every A+ that can be executed."""
        return self._possible(architecture, Sign.COPY)

    def _possible(self, architecture: Architecture, sign: Sign) -> tuple[Action, ...]:
        actions = (
            Action(sign=sign, kind=kind, stage=place, position=position.source)
            for place, position in architecture.positions()
            for kind in KINDS
        )
        return tuple(action for action in actions if self.why_not(action, architecture=architecture) is None)

    def why_not(self, action: AnyAction, /, *, architecture: Architecture) -> str | None:
        """Why an action cannot be executed on an architecture of this space; None when it can."""
        if isinstance(action, CompoundAction):
            try:
                self.check(action.apply(architecture))
            except ArchitectureError as error:
                return f"{action} cannot be executed: {error}"
            return None
        where = action.block
        try:
            count = getattr(architecture.position(action.stage, action.position), GENES[action.kind])
        except ArchitectureError as error:
            return str(error)
        if action.sign is Sign.REMOVE:
            return None if count > 0 else f"{where} cannot be removed: it is not there"
        if action.kind is BlockKind.CROSS_ATTENTION:
            own = self.geometry(action.stage).depths[action.position]
            if own == 0:
                return f"{where} cannot be copied: the base model has no cross-attention there"
        else:
            own = 1
            c_in = resnet_in_channels(architecture, stages=self.stages)[action.stage, action.position]
            c_out = self.geometry(action.stage).channels
            if count >= 1 and c_in != c_out:
                return (
                    f"{where} cannot be copied: a copy behind it would take {c_out} channels, "
                    f"but its weights take {c_in}"
                )
        if count >= own + self.max_copies:
            return f"{where} cannot be copied: it has its {self.max_copies} copies already (`max_copies`)"
        return None

    def touched(self, action: AnyAction, /) -> frozenset[str]:
        """Names of the blocks that an action moves."""
        return frozenset(block.block for block in action.blocks)

    def takes_copy(self, action: AnyAction, /, *, architecture: Architecture) -> bool:
        """Whether a removal takes a copy away, rather than a block of the base model."""
        return any(
            getattr(architecture.position(block.stage, block.position), GENES[block.kind])
            > getattr(self.base.position(block.stage, block.position), GENES[block.kind])
            for block in action.blocks
        )

    def sample(self, rng: np.random.Generator, /) -> Architecture:
        """An architecture some random steps from the base, four removals to one copy."""
        architecture = self.base
        for _ in range(rng.integers(len(self.removals(self.base)) + 1)):
            options = self.copies(architecture) if rng.random() < COPYING else self.removals(architecture)
            if options:
                architecture = options[rng.integers(len(options))].apply(architecture)
        return architecture

    def summary(self, architecture: Architecture, /) -> str:
        """An architecture in a few words for people."""
        return f"{architecture.num_cross_attentions} cross-attentions, {architecture.num_resnets} ResNets"

    def check(self, architecture: Architecture, /) -> None:
        """Check that an architecture belongs to this space.

        Raises:
            ArchitectureError: It does not; the message lists every violation.
        """
        wrong = []
        for stage in architecture.stages:
            known = {g.place: g for g in self.stages}.get(stage.place)
            if known is None:
                wrong.append(
                    f"the base model has no stage {stage.place}; it has {', '.join(g.place for g in self.stages)}"
                )
                continue
            for p in stage.positions:
                where = f"{stage.place}[{p.source}]"
                if p.source >= len(known.depths):
                    wrong.append(f"the base model has no position {where}: {stage.place} has {len(known.depths)}")
                    continue
                depth = known.depths[p.source]
                most = depth + self.max_copies if depth else 0
                if p.cross_attentions > most:
                    wrong.append(f"`cross_attentions` at {where} must be at most {most}, but got {p.cross_attentions}")
                if p.resnets > 1 + self.max_copies:
                    wrong.append(f"`resnets` at {where} must be at most {1 + self.max_copies}, but got {p.resnets}")
        wrong += unpaired_skips(architecture, stages=self.stages)
        if not wrong:
            inputs = resnet_in_channels(architecture, stages=self.stages)
            own = own_in_channels(self.stages)
            for place, p in architecture.positions():
                c_in, c_out = inputs[place, p.source], self.geometry(place).channels
                if c_in != own[place, p.source]:
                    wrong.append(
                        f"{place}[{p.source}] must take {own[place, p.source]} channels, as its weights do, but gets "
                        f"{c_in}: the positions before it that are gone must stay"
                    )
                elif p.resnets > 1 and c_in != c_out:
                    wrong.append(
                        f"`resnets` at {place}[{p.source}] must be 0 or 1 "
                        f"because it changes {c_in} channels to {c_out}, but got {p.resnets}"
                    )
        if wrong:
            raise ArchitectureError("the architecture is not in this space: " + "; ".join(wrong))

    def sites(
        self,
        architecture: Architecture,
        /,
        *,
        height: int | None = None,
        width: int | None = None,
        context_tokens: int = DEFAULT_CONTEXT_TOKENS,
    ) -> tuple[Site, ...]:
        """Every block of an architecture with its signature: what a latency table prices and parameters count.

        Args:
            architecture: An architecture of this space.
            height: Latent height; None = the model's own.
            width: Latent width; None = the model's own.
            context_tokens: Text tokens that cross-attentions read.

        Raises:
            ArchitectureError: The architecture is not in this space.
        """
        self.check(architecture)
        h, w = height or self.sample_size[0], width or self.sample_size[1]
        return tuple(self._walk(architecture, h, w, context_tokens))

    def reachable_signatures(
        self, *, height: int | None = None, width: int | None = None, context_tokens: int = DEFAULT_CONTEXT_TOKENS
    ) -> tuple[BlockSignature, ...]:
        """Every signature that some architecture of this space with the base model's positions may hold, sorted.

        A latency table that has all of them prices every such architecture.
        """
        found: set[BlockSignature] = set()
        for count in range(2 + self.max_copies + max((d for g in self.stages for d in g.depths), default=0)):
            architecture = self.base
            for place, position in self.base.positions():
                depth = self.geometry(place).depths[position.source]
                resnets = (
                    min(count, 1 + self.max_copies)
                    if self._resnet_is_copyable(place, position.source)
                    else min(count, 1)
                )
                cross_attentions = min(count, depth + self.max_copies) if depth else 0
                gene = replace(position, resnets=resnets, cross_attentions=cross_attentions)
                architecture = architecture.with_position(place, gene)
            sites = self.sites(architecture, height=height, width=width, context_tokens=context_tokens)
            found.update(site.signature for site in sites)
        return tuple(sorted(found))

    def _resnet_is_copyable(self, place: str, source: int) -> bool:
        return own_in_channels(self.stages)[place, source] == self.geometry(place).channels

    def num_params(self, architecture: Architecture, /) -> int:
        """Parameters of an architecture, exactly as many as its diffusers module has."""
        return sum(site.signature.num_params for site in self.sites(architecture))

    def num_macs(
        self,
        architecture: Architecture,
        /,
        *,
        height: int | None = None,
        width: int | None = None,
        context_tokens: int = DEFAULT_CONTEXT_TOKENS,
    ) -> int:
        """Multiply-accumulates of one forward pass at batch 1."""
        sites = self.sites(architecture, height=height, width=width, context_tokens=context_tokens)
        return sum(site.signature.num_macs for site in sites)
