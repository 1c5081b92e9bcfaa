"""Supernet: a diffusers UNet whose blocks can be switched off, copied and cut out, without copying weights.

Switching replaces entries of the UNet's own module lists by references: the original block, its shortcut, or the
original followed by copies. No diffusers block is re-implemented, and the full architecture *is* the plain UNet.
"""

import copy
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from jaxtyping import Float
from torch import Tensor, nn

from search_spaces.actions import CopyStart
from search_spaces.architecture import Architecture
from search_spaces.files.user_error import UserError
from search_spaces.unets.diffusers_config import space_from_config
from search_spaces.unets.space import UNetSpace
from search_spaces.unets.wiring import last_down, module_prefix

M = TypeVar("M", bound=nn.Module)


class SkippedResnet(nn.Module):
    """What stays of a skipped ResNet: its shortcut, the identity where the channels stay."""

    def __init__(self, resnet: ResnetBlock2D) -> None:
        super().__init__()
        self.conv_shortcut = resnet.conv_shortcut
        self.output_scale_factor = resnet.output_scale_factor

    def forward(
        self, hidden_states: Float[Tensor, "n c_in h w"], temb: Float[Tensor, "n temb_channels"] | None = None
    ) -> Float[Tensor, "n c_out h w"]:
        """The shortcut of `hidden_states`; the time embedding is not read."""
        if self.conv_shortcut is not None:
            hidden_states = self.conv_shortcut(hidden_states)
        return hidden_states if self.output_scale_factor == 1 else hidden_states / self.output_scale_factor


class SkippedTransformer(nn.Module):
    """What stays of a skipped cross-attention: the identity, in the tuple that diffusers' stages unpack."""

    def forward(
        self, hidden_states: Float[Tensor, "n c h w"], *args: object, **kwargs: object
    ) -> tuple[Float[Tensor, "n c h w"]]:
        """`hidden_states` in a tuple; whatever else a transformer is given is not read."""
        return (hidden_states,)


class ResnetChain(nn.Module):
    """A ResNet followed by its copies; state names are `0`, `1`, ... below the ResNet's own name."""

    def __init__(self, resnets: list[nn.Module]) -> None:
        super().__init__()
        for index, resnet in enumerate(resnets):
            self.add_module(str(index), resnet)

    def forward(
        self, hidden_states: Float[Tensor, "n c_in h w"], temb: Float[Tensor, "n temb_channels"] | None = None
    ) -> Float[Tensor, "n c_out h w"]:
        """One ResNet after the other, each with the same time embedding."""
        for resnet in self.children():
            hidden_states = resnet(hidden_states, temb)
        return hidden_states


class Supernet:
    """One UNet, every architecture of its space.

    Attributes:
        unet: The diffusers UNet to call; it computes the current architecture.
        space: Its search space.
        architecture: The current architecture.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        /,
        *,
        space: UNetSpace | None = None,
        copy_start: CopyStart = CopyStart.NEUTRAL,
    ) -> None:
        self.unet = unet
        self.space = space if space is not None else space_from_config(unet.config)
        self.copy_start = copy_start
        self.architecture = self.space.base
        self._stages: dict[str, Any] = {}  # diffusers hides the types of its stages
        self._downsamplers: dict[str, nn.ModuleList | None] = {}
        self._resnets: dict[tuple[str, int], list[nn.Module]] = {}
        self._layers: dict[tuple[str, int], list[nn.Module]] = {}
        self._transformers: dict[tuple[str, int], Transformer2DModel] = {}
        self._skipped: dict[tuple[str, int], SkippedResnet] = {}
        for place, position in self.space.base.positions():
            key, stage = (place, position.source), unet.get_submodule(module_prefix(place))
            self._stages[place] = stage
            self._downsamplers[place] = getattr(stage, "downsamplers", None)
            resnet = stage.resnets[position.source]
            self._resnets[key] = [resnet]
            self._skipped[key] = SkippedResnet(resnet)
            if position.cross_attentions:
                transformer = stage.attentions[position.source]
                self._transformers[key] = transformer
                self._layers[key] = list(transformer.transformer_blocks)
        self._skipped_transformer = SkippedTransformer()

    @property
    def module(self) -> UNet2DConditionModel:
        """What is trained: the UNet."""
        return self.unet

    def switch(self, architecture: Architecture, /) -> None:
        """Make the UNet compute another architecture; no weight is copied unless a copy is born.

        Raises:
            ArchitectureError: The architecture is not in the space.
        """
        self.space.check(architecture)
        innermost = last_down(architecture)
        for stage in architecture.stages:
            module, keys = self._stages[stage.place], [(stage.place, p.source) for p in stage.positions]
            genes = dict(zip(keys, stage.positions, strict=True))
            module.resnets = nn.ModuleList(self._resnet(key, genes[key].resnets) for key in keys)
            if any(place == stage.place for place, _ in self._transformers):
                attending = [key for key in keys if key in self._transformers]
                module.attentions = nn.ModuleList(
                    self._transformer(key, genes[key].cross_attentions) for key in attending
                )
            if stage.place.startswith("down"):
                module.downsamplers = None if stage.place == innermost else self._downsamplers[stage.place]
        present = [stage.place for stage in architecture.stages]
        ups = [self._stages[place] for place in present if place.startswith("up")]
        self.unet.down_blocks = nn.ModuleList(self._stages[place] for place in present if place.startswith("down"))
        self.unet.mid_block = self._stages["mid"] if "mid" in present else None
        self.unet.up_blocks = nn.ModuleList(ups)
        self.unet.num_upsamplers = len(ups) - 1
        self.architecture = architecture

    def _resnet(self, key: tuple[str, int], num: int) -> nn.Module:
        blocks = self._resnets[key]
        while len(blocks) < num:
            blocks.append(self._copy(blocks[-1]))
        if num == 0:
            return self._skipped[key]
        return blocks[0] if num == 1 else ResnetChain(blocks[:num])

    def _transformer(self, key: tuple[str, int], depth: int) -> Transformer2DModel | SkippedTransformer:
        if depth == 0:
            return self._skipped_transformer
        layers, transformer = self._layers[key], self._transformers[key]
        while len(layers) < depth:
            layers.append(self._copy(layers[-1]))
        if len(transformer.transformer_blocks) != depth:
            transformer.transformer_blocks = nn.ModuleList(layers[:depth])
        return transformer

    def _copy(self, block: nn.Module) -> nn.Module:
        twin = copy.deepcopy(block)
        if self.copy_start is not CopyStart.SAME:
            _damp(twin, self.copy_start.gate)
        return twin

    @contextmanager
    def switched(self, architecture: Architecture, /) -> Iterator[UNet2DConditionModel]:
        """The UNet computing an architecture for the time of a `with` block."""
        before = self.architecture
        self.switch(architecture)
        try:
            yield self.unet
        finally:
            self.switch(before)

    def all_parameters(self) -> list[nn.Parameter]:
        """Parameters of the base model and of every copy born so far, whatever the current architecture."""
        with self.switched(self.fullest) as unet:
            return list(unet.parameters())

    def named_parameters(self, architecture: Architecture, /) -> dict[str, nn.Parameter]:
        """The parameters that an architecture has, a skipped ResNet's shortcut included, named as in `weights`."""
        with self.switched(architecture) as unet:
            present = {id(parameter) for parameter in unet.parameters()}
        with self.switched(self.fullest) as unet:
            return {name: each for name, each in unet.named_parameters() if id(each) in present}

    @property
    def stages(self) -> dict[str, nn.Module]:
        """The modules of the current architecture's stages, by place."""
        return {stage.place: self._stages[stage.place] for stage in self.architecture.stages}

    def weights(self) -> dict[str, torch.Tensor]:
        """Every weight by name, of the base model and of every copy born so far, sharing memory with the UNet.

        Names are those of the architecture that holds every block; `load_weights` takes them back.
        """
        with self.switched(self.fullest) as unet:
            return dict(unet.state_dict())

    def load_weights(self, weights: Mapping[str, torch.Tensor], /) -> None:
        """Take over what `weights` gave, on this or another process; copies are born as the names ask for.

        Raises:
            ValueError: Names or shapes that do not fit this UNet, or weights of it that are missing.
        """
        self.update_weights(weights)
        if missing := sorted(self.weights().keys() - weights.keys()):
            raise UserError(f"weights do not fit this UNet: {len(missing)} are missing, such as {missing[:3]}")

    def update_weights(self, changed: Mapping[str, torch.Tensor], /) -> None:
        """Take over some of what `weights` gave; the others stay; copies are born as the names ask for.

        Raises:
            ValueError: Names or shapes that do not fit this UNet.
        """
        while births := self._births(changed):
            for key, blocks in births:
                blocks[key].append(self._copy(blocks[key][-1]))
        own = self.weights()
        if wrong := sorted(name for name in changed if name not in own or own[name].shape != changed[name].shape):
            raise UserError(f"weights do not fit this UNet: {len(wrong)} names or shapes differ, such as {wrong[:3]}")
        with torch.no_grad():
            for name, tensor in changed.items():
                own[name].copy_(tensor)

    def forget_copies(self, *, but: Collection[str] = ()) -> None:
        """Drop copies born so far, and compute the base model: copies to come are born anew.

        Args:
            but: Names of weights, as in `weights`, whose copies stay.
        """
        self.switch(self.space.base)
        kept = {prefix for name in but for prefix in _prefixes(name)}
        for key, resnets in self._resnets.items():
            while len(resnets) > 1 and self._resnet_name(key, len(resnets) - 1) not in kept:
                resnets.pop()
            layers = self._layers.get(key, [])
            while (
                len(layers) > self.space.base.position(*key).cross_attentions
                and self._layer_name(key, len(layers) - 1) not in kept
            ):
                layers.pop()

    @staticmethod
    def _resnet_name(key: tuple[str, int], index: int) -> str:
        return f"{module_prefix(key[0])}.resnets.{key[1]}.{index}"

    @staticmethod
    def _layer_name(key: tuple[str, int], index: int) -> str:
        return f"{module_prefix(key[0])}.attentions.{key[1]}.transformer_blocks.{index}"

    @property
    def fullest(self) -> Architecture:
        """The architecture that holds every block, and every copy born so far."""
        architecture = self.space.base
        for place, position in self.space.base.positions():
            key = (place, position.source)
            gene = replace(position, resnets=len(self._resnets[key]), cross_attentions=len(self._layers.get(key, ())))
            architecture = architecture.with_position(place, gene)
        return architecture

    def _births(
        self, weights: Mapping[str, torch.Tensor]
    ) -> list[tuple[tuple[str, int], dict[tuple[str, int], list[nn.Module]]]]:
        """Copies that the names speak of and this supernet does not have yet, one of each block at most."""
        spoken_of = {prefix for name in weights for prefix in _prefixes(name)}
        births = [(key, self._resnets) for key, each in self._resnets.items()
                  if self._resnet_name(key, len(each)) in spoken_of]  # fmt: skip
        births += [(key, self._layers) for key, each in self._layers.items()
                   if self._layer_name(key, len(each)) in spoken_of]  # fmt: skip
        return births

    def materialise(self, architecture: Architecture, /) -> UNet2DConditionModel:
        """A UNet with a structure of its own that computes an architecture and holds the weights of that one only.

        The weights are the supernet's own, not copies: training changes both. `copy.deepcopy` parts them.
        """
        with self.switched(architecture) as unet:
            return twin(unet)


def _prefixes(name: str) -> Iterator[str]:
    """The modules that a weight lies in, from the outside."""
    parts = name.split(".")
    return (".".join(parts[:end]) for end in range(1, len(parts)))


def apply_architecture(unet: UNet2DConditionModel, architecture: Architecture, /, *, space: UNetSpace) -> None:
    """Give a freshly built base UNet the structure of an architecture, in place."""
    Supernet(unet, space=space).switch(architecture)


def twin(module: M, /) -> M:
    """A module with a structure of its own and the same weights."""
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, shared)


def neutralise(block: nn.Module, /) -> None:
    """Zero the output projections of a block, so that only its shortcut speaks.

    Raises:
        TypeError: Not a ResNet, a transformer or one of its layers.
    """
    _damp(block, 0.0)


@torch.no_grad()
def _damp(block: nn.Module, gate: float) -> None:
    """Multiply the output projections of a block."""
    if isinstance(block, ResnetBlock2D):
        outputs: list[nn.Module] = [block.conv2]
    elif isinstance(block, Transformer2DModel):
        outputs = [block.proj_out]
    elif isinstance(block, BasicTransformerBlock):
        outputs = [
            block.attn1.to_out[0],
            block.ff.net[-1],
            *([block.attn2.to_out[0]] if block.attn2 is not None else []),
        ]
    else:
        raise TypeError(
            f"only ResNets, transformers and transformer layers can be neutral, but got {type(block).__name__}"
        )
    for module in outputs:
        for parameter in module.parameters():
            parameter.mul_(gate) if gate else parameter.zero_()
