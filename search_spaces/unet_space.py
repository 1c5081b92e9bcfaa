"""UNetSpace: what may be removed or copied in a UNet, why not, and what every architecture of it consists of.

Made from a diffusers config by `search_spaces.diffusers_config`. Pure arithmetic on shapes: parameters,
multiply-accumulates and block signatures of any architecture come without allocating a weight.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np

from search_spaces.actions import GENES, Action, AnyAction, CompoundAction, Sign
from search_spaces.architecture import Architecture, ArchitectureError, Position
from search_spaces.blocks import BlockKind, BlockSignature
from search_spaces.wiring import (
    StageGeometry,
    base_architecture,
    last_down,
    module_prefixes,
    own_in_channels,
    resnet_in_channels,
    unpaired_skips,
)

DEFAULT_CONTEXT_TOKENS: Final = 77  # CLIP's
DEFAULT_MAX_COPIES: Final = 2  # per block: one default for spaces, searches, tables and kits, so that they fit
KINDS: Final = (BlockKind.CROSS_ATTENTION, BlockKind.RESNET)
COPYING: Final = 0.2  # share of copies among the steps to a random architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One block of one architecture: diffusers' module name, its signature, and the position it belongs to."""

    name: str
    signature: BlockSignature
    stage: str = ""
    position: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetSpace:
    """All architectures that removing and copying blocks of one base UNet can reach.

    Attributes:
        stages: Geometry of the base model's stages, in the order of the forward pass.
        in_channels: Latent channels in.
        out_channels: Latent channels out.
        sample_size: Latent height and width that the model was trained for.
        temb_channels: Width of the time embedding.
        conditioning_channels: Input width of every embedding MLP: the time embedding, and SDXL's added one.
        resnet_variant: "" or "scale_shift".
        max_copies: How many copies one block may get.
    """

    stages: tuple[StageGeometry, ...]
    in_channels: int
    out_channels: int
    sample_size: tuple[int, int]
    temb_channels: int
    conditioning_channels: tuple[int, ...]
    resnet_variant: str = ""
    attention_variant: str = ""
    max_copies: int = DEFAULT_MAX_COPIES

    @property
    def base(self) -> Architecture:
        """The base model itself: every ResNet once, every cross-attention at its own depth."""
        return base_architecture(self.stages)

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

    def geometry(self, place: str, /) -> StageGeometry:
        """The base geometry of a stage.

        Raises:
            ArchitectureError: The base model has no such stage.
        """
        for stage in self.stages:
            if stage.place == place:
                return stage
        raise ArchitectureError(
            f"the base model has no stage {place!r}; choose among {', '.join(s.place for s in self.stages)}"
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

    def _walk(self, architecture: Architecture, h: int, w: int, context_tokens: int) -> Iterator[Site]:
        for index, c_in in enumerate(self.conditioning_channels):
            name = "time_embedding" if index == 0 else "add_embedding"
            signature = BlockSignature(
                kind=BlockKind.TIME_EMBEDDING, in_channels=c_in, out_channels=self.temb_channels, height=1, width=1
            )
            yield Site(name=name, signature=signature)
        inner, innermost = self.stages[0].channels, last_down(architecture)
        yield Site(
            name="conv_in",
            signature=BlockSignature(
                kind=BlockKind.CONV_IN, in_channels=self.in_channels, out_channels=inner, height=h, width=w
            ),
        )
        inputs = resnet_in_channels(architecture, stages=self.stages)
        sizes = [(h, w)]
        ups = [stage.place for stage in architecture.stages if stage.place.startswith("up")]
        prefixes = module_prefixes(architecture)
        for stage in architecture.stages:
            geometry, prefix = self.geometry(stage.place), prefixes[stage.place]
            for index, position in enumerate(stage.positions):
                yield from self._position_sites(
                    geometry,
                    position,
                    f"{prefix}.resnets.{index}",
                    f"{prefix}.attentions.{index}",
                    c_in=inputs[stage.place, position.source],
                    h=h,
                    w=w,
                    context_tokens=context_tokens,
                )
            sampler = BlockSignature(
                kind=BlockKind.DOWNSAMPLE,
                in_channels=geometry.channels,
                out_channels=geometry.channels,
                height=h,
                width=w,
            )
            if stage.place.startswith("down") and stage.place != innermost:
                yield Site(name=f"{prefix}.downsamplers.0", signature=sampler, stage=stage.place)
                sizes.append((h, w))
                h, w = -(-h // 2), -(-w // 2)
            elif stage.place.startswith("up") and stage.place != ups[-1]:
                target = sizes.pop()
                variant = "" if target == (2 * h, 2 * w) else f"{target[0]}x{target[1]}"
                sampler = replace(sampler, kind=BlockKind.UPSAMPLE, variant=variant)
                yield Site(name=f"{prefix}.upsamplers.0", signature=sampler, stage=stage.place)
                h, w = target
        yield Site(
            name="conv_out",
            signature=BlockSignature(
                kind=BlockKind.CONV_OUT, in_channels=inner, out_channels=self.out_channels, height=h, width=w
            ),
        )

    def _position_sites(
        self,
        geometry: StageGeometry,
        position: Position,
        resnet: str,
        attention: str,
        *,
        c_in: int,
        h: int,
        w: int,
        context_tokens: int,
    ) -> Iterator[Site]:
        place, source, c_out = geometry.place, position.source, geometry.channels
        block = BlockSignature(
            kind=BlockKind.RESNET,
            in_channels=c_in,
            out_channels=c_out,
            height=h,
            width=w,
            temb_channels=self.temb_channels,
            variant=self.resnet_variant,
        )
        if position.resnets == 0 and c_in != c_out:
            shortcut = BlockSignature(kind=BlockKind.SHORTCUT, in_channels=c_in, out_channels=c_out, height=h, width=w)
            yield Site(name=resnet, signature=shortcut, stage=place, position=source)
        for index in range(position.resnets):
            name = resnet if index == 0 else f"{resnet}+{index}"
            signature = block if index == 0 else replace(block, in_channels=c_out)
            yield Site(name=name, signature=signature, stage=place, position=source)
        if position.cross_attentions:
            signature = BlockSignature(
                kind=BlockKind.CROSS_ATTENTION,
                in_channels=c_out,
                out_channels=c_out,
                height=h,
                width=w,
                layers=position.cross_attentions,
                heads=geometry.heads,
                head_dim=c_out // geometry.heads,
                cross_attention_dim=geometry.cross_attention_dim,
                context_tokens=context_tokens,
                variant=self.attention_variant,
            )
            yield Site(name=attention, signature=signature, stage=place, position=source)

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

    def paper_stage(self, place: str, /) -> str:
        """SnapFusion's name of a stage: Down-1 ... Mid ... Up-1.

        Innermost down and up stages without cross-attention count to Mid, as in the paper's Table 3.
        """
        side = place.partition(".")[0]
        inner = [g.place for g in self.stages if g.place.startswith(side) and not self._counts_to_mid(g)]
        if side == "mid" or place not in inner:
            return "Mid"
        return f"{side.capitalize()}-{inner.index(place) + 1}"

    def _counts_to_mid(self, geometry: StageGeometry) -> bool:
        downs = [g.place for g in self.stages if g.place.startswith("down")]
        innermost = geometry.place == "mid" or geometry.place in (downs[-1], "up.0")
        return innermost and not any(geometry.depths)
