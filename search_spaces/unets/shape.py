"""UNetShape: which blocks an architecture of a UNet consists of, with their channels and sizes.

Pure arithmetic: parameters, multiply-accumulates and block signatures come without allocating a weight.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from search_spaces.architecture import Architecture, ArchitectureError, Position
from search_spaces.blocks import BlockKind, BlockSignature
from search_spaces.unets.wiring import StageGeometry, base_architecture, last_down, module_prefixes, resnet_in_channels

DEFAULT_CONTEXT_TOKENS: Final = 77  # CLIP's


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One block of one architecture: diffusers' module name, its signature, and the position it belongs to."""

    name: str
    signature: BlockSignature
    stage: str = ""
    position: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetShape:
    """The base UNet, as far as blocks depend on it.

    Attributes:
        stages: Geometry of the base model's stages, in the order of the forward pass.
        in_channels: Latent channels in.
        out_channels: Latent channels out.
        sample_size: Latent height and width that the model was trained for.
        temb_channels: Width of the time embedding.
        conditioning_channels: Input width of every embedding MLP: the time embedding, and SDXL's added one.
        resnet_variant: "" or "scale_shift".
        attention_variant: "" or "linear".
    """

    stages: tuple[StageGeometry, ...]
    in_channels: int
    out_channels: int
    sample_size: tuple[int, int]
    temb_channels: int
    conditioning_channels: tuple[int, ...]
    resnet_variant: str = ""
    attention_variant: str = ""

    @property
    def base(self) -> Architecture:
        """The base model itself: every ResNet once, every cross-attention at its own depth."""
        return base_architecture(self.stages)

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
