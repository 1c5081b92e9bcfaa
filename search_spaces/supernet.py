"""Supernet: a diffusers UNet whose blocks can be switched off, copied and cut out, without copying weights.

Switching replaces entries of the UNet's own module lists by references: the original block, its shortcut, or the
original followed by copies. No diffusers block is re-implemented, and the full architecture *is* the plain UNet.
"""

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn

from search_spaces.actions import CopyStart
from search_spaces.architecture import Architecture
from search_spaces.block_forms import ResnetChain, SkippedResnet, SkippedTransformer, damp, twin
from search_spaces.files.user_error import UserError
from search_spaces.unets.diffusers_config import space_from_config
from search_spaces.unets.space import UNetSpace
from search_spaces.unets.wiring import last_down, module_prefix


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
        self._transformers: dict[tuple[str, int], Transformer2DModel] = {}
        self._skipped: dict[tuple[str, int], SkippedResnet] = {}
        self._blocks: dict[str, list[nn.Module]] = {}  # a ResNet, or a transformer's layers, by name, with its copies
        for place, position in self.space.base.positions():
            key, stage = (place, position.source), unet.get_submodule(module_prefix(place))
            self._stages[place] = stage
            self._downsamplers[place] = getattr(stage, "downsamplers", None)
            resnet = stage.resnets[position.source]
            self._blocks[_resnet_name(key)] = [resnet]
            self._skipped[key] = SkippedResnet(resnet)
            if position.cross_attentions:
                transformer = stage.attentions[position.source]
                self._transformers[key] = transformer
                self._blocks[_layers_name(key)] = list(transformer.transformer_blocks)
        self._num_base = {name: len(blocks) for name, blocks in self._blocks.items()}
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
        if num == 0:
            return self._skipped[key]
        blocks = self._with_copies(_resnet_name(key), num)
        return blocks[0] if num == 1 else ResnetChain(blocks)

    def _transformer(self, key: tuple[str, int], depth: int) -> Transformer2DModel | SkippedTransformer:
        if depth == 0:
            return self._skipped_transformer
        layers, transformer = self._with_copies(_layers_name(key), depth), self._transformers[key]
        if len(transformer.transformer_blocks) != depth:
            transformer.transformer_blocks = nn.ModuleList(layers)
        return transformer

    def _with_copies(self, name: str, num: int) -> list[nn.Module]:
        """The first blocks under a name; copies that are missing are born."""
        blocks = self._blocks[name]
        while len(blocks) < num:
            born = copy.deepcopy(blocks[-1])
            if self.copy_start is not CopyStart.SAME:
                damp(born, gate=self.copy_start.gate)
            blocks.append(born)
        return blocks[:num]

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
        spoken_of = _prefixes(changed)
        for name, blocks in self._blocks.items():
            while f"{name}.{len(blocks)}" in spoken_of:
                self._with_copies(name, len(blocks) + 1)
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
        kept = _prefixes(but)
        for name, blocks in self._blocks.items():
            while len(blocks) > self._num_base[name] and f"{name}.{len(blocks) - 1}" not in kept:
                blocks.pop()

    @property
    def fullest(self) -> Architecture:
        """The architecture that holds every block, and every copy born so far."""
        architecture = self.space.base
        for place, position in self.space.base.positions():
            key = (place, position.source)
            num_layers = len(self._blocks.get(_layers_name(key), ()))
            gene = replace(position, resnets=len(self._blocks[_resnet_name(key)]), cross_attentions=num_layers)
            architecture = architecture.with_position(place, gene)
        return architecture

    def materialise(self, architecture: Architecture, /) -> UNet2DConditionModel:
        """A UNet with a structure of its own that computes an architecture and holds the weights of that one only.

        The weights are the supernet's own, not copies: training changes both. `copy.deepcopy` parts them.
        """
        with self.switched(architecture) as unet:
            return twin(unet)


def _resnet_name(key: tuple[str, int]) -> str:
    return f"{module_prefix(key[0])}.resnets.{key[1]}"


def _layers_name(key: tuple[str, int]) -> str:
    return f"{module_prefix(key[0])}.attentions.{key[1]}.transformer_blocks"


def _prefixes(names: Iterable[str]) -> set[str]:
    """The modules that weights lie in, whole names aside."""
    return {name[:end] for name in names for end, letter in enumerate(name) if letter == "."}


def apply_architecture(unet: UNet2DConditionModel, architecture: Architecture, /, *, space: UNetSpace) -> None:
    """Give a freshly built base UNet the structure of an architecture, in place."""
    Supernet(unet, space=space).switch(architecture)
