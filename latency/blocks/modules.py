"""The blocks of a UNet on their own, with inputs of the right shape: what a backend runs for each row of a table.

Every block is the supernet's own module, so nothing is re-implemented: the base model's blocks as they stand, deeper
and shallower cross-attentions and skipped ResNets by switching the supernet. Structures are copied, weights shared.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor, nn

from latency.pricing.fit import cross_attention_dim
from search_spaces import Architecture, BlockKind, BlockSignature, Site, UNetSpace
from search_spaces.block_forms import twin
from search_spaces.supernet import Supernet

TIMESTEP = 500  # any will do: the time of a forward pass does not depend on it


@dataclass(frozen=True, kw_only=True, eq=False)
class ModuleCall:
    """A module and the arguments of one call of it."""

    module: nn.Module
    args: tuple[torch.Tensor, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)


class TimeEmbedding(nn.Module):
    """The UNet's own time projection and embedding."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.time_proj, self.time_embedding = unet.time_proj, unet.time_embedding

    def forward(self, timesteps: Int[Tensor, " n"]) -> Float[Tensor, "n temb_channels"]:
        """Embed timesteps."""
        embedding: Tensor = self.time_embedding(self.time_proj(timesteps).to(self.time_embedding.linear_1.weight.dtype))
        return embedding


class NextToNothing(nn.Module):
    """Work that takes no time: a call of it takes what every call takes."""

    def forward(self, number: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
        """Another number."""
        return -number


class Inputs:
    """Random inputs of one workload.

    Args:
        unet: The model; its dtype and device are the inputs'.
        batch: Samples per forward pass.
        context_tokens: Text tokens.
        seed: Of the numbers.
    """

    def __init__(self, unet: UNet2DConditionModel, *, batch: int, context_tokens: int, seed: int) -> None:
        self.unet, self.batch, self.context_tokens = unet, batch, context_tokens
        self._generator = torch.Generator().manual_seed(seed)

    def tensor(self, *shape: int) -> Float[Tensor, "n ..."]:
        """Standard normal numbers of shape (n, *shape), n being the batch."""
        numbers = torch.randn(self.batch, *shape, generator=self._generator)
        return numbers.to(device=self.unet.device, dtype=self.unet.dtype)

    def timesteps(self) -> Int[Tensor, " n"]:
        """Timesteps."""
        return torch.full((self.batch,), TIMESTEP, device=self.unet.device)


def whole_model(
    unet: UNet2DConditionModel, inputs: Inputs, /, *, space: UNetSpace, height: int, width: int
) -> ModuleCall:
    """A UNet's forward pass, with a structure of its own: switching the supernet later does not change it."""
    context = inputs.tensor(inputs.context_tokens, cross_attention_dim(space))
    kwargs: dict[str, Any] = {"encoder_hidden_states": context, "return_dict": False}
    if unet.config.addition_embed_type == "text_time":
        num_ids = 6
        pooled = unet.config.projection_class_embeddings_input_dim - num_ids * unet.config.addition_time_embed_dim
        kwargs["added_cond_kwargs"] = {"text_embeds": inputs.tensor(pooled), "time_ids": inputs.tensor(num_ids)}
    latents = inputs.tensor(space.in_channels, height, width)
    return ModuleCall(module=twin(unet), args=(latents, inputs.timesteps()), kwargs=kwargs)


def empty_call(inputs: Inputs, /) -> ModuleCall:
    """A call of next to nothing."""
    return ModuleCall(module=NextToNothing(), args=(inputs.tensor(1),))


def with_twins(call: ModuleCall, /, *, num: int) -> Iterator[ModuleCall]:
    """A call, and others like it whose modules have weights of their own: `num` together."""
    yield call
    for _ in range(num - 1):
        yield replace(call, module=copy.deepcopy(call.module))


def isolated_blocks(
    supernet: Supernet, inputs: Inputs, /, *, height: int, width: int
) -> dict[BlockSignature, ModuleCall]:
    """One call for every signature that an architecture of the supernet's space can hold.

    Args:
        supernet: The supernet; its architecture is the same afterwards.
        inputs: Makes the arguments.
        height: Latent height.
        width: Latent width.
    """
    calls: dict[BlockSignature, ModuleCall] = {}
    for architecture in _ladder(supernet.space):
        sites = supernet.space.sites(architecture, height=height, width=width, context_tokens=inputs.context_tokens)
        new = [site for site in sites if site.signature not in calls]
        if new:
            with supernet.switched(architecture) as unet:
                calls |= {site.signature: _call(site, unet, inputs) for site in new}
    wanted = supernet.space.reachable_signatures(height=height, width=width, context_tokens=inputs.context_tokens)
    assert set(wanted) <= calls.keys(), "the ladder must pass every signature that the space can reach"
    return {signature: calls[signature] for signature in wanted}


def _ladder(space: UNetSpace) -> Iterator[Architecture]:
    """The base; one of everything less until nothing is left; one of everything more until nothing fits."""
    yield space.base
    for possible in (space.removals, space.copies):
        architecture = space.base
        while actions := possible(architecture):
            for action in actions:
                architecture = action.apply(architecture)
            yield architecture


def _call(site: Site, unet: UNet2DConditionModel, inputs: Inputs) -> ModuleCall:
    """The call of the module at a site of the architecture that `unet` computes."""
    s = site.signature
    maps = (s.in_channels, s.height, s.width)
    match s.kind:
        case BlockKind.TIME_EMBEDDING if site.name == "time_embedding":
            return ModuleCall(module=TimeEmbedding(unet), args=(inputs.timesteps(),))
        case BlockKind.TIME_EMBEDDING:
            return ModuleCall(module=unet.get_submodule(site.name), args=(inputs.tensor(s.in_channels),))
        case BlockKind.CONV_OUT:
            tail = nn.Sequential(unet.conv_norm_out, unet.conv_act, unet.conv_out)
            return ModuleCall(module=tail, args=(inputs.tensor(*maps),))
        case BlockKind.RESNET | BlockKind.SHORTCUT:
            temb = inputs.tensor(unet.time_embedding.linear_2.out_features)
            return ModuleCall(module=unet.get_submodule(site.name), args=(inputs.tensor(*maps), temb))
        case BlockKind.CROSS_ATTENTION:
            context = inputs.tensor(s.context_tokens, s.cross_attention_dim)
            kwargs = {"encoder_hidden_states": context, "return_dict": False}
            return ModuleCall(module=twin(unet.get_submodule(site.name)), args=(inputs.tensor(*maps),), kwargs=kwargs)
        case BlockKind.UPSAMPLE if s.variant:
            target = tuple(int(side) for side in s.variant.split("x"))
            module = unet.get_submodule(site.name)
            return ModuleCall(module=module, args=(inputs.tensor(*maps),), kwargs={"output_size": target})
        case BlockKind.UPSAMPLE | BlockKind.DOWNSAMPLE | BlockKind.CONV_IN:
            return ModuleCall(module=unet.get_submodule(site.name), args=(inputs.tensor(*maps),))
        case BlockKind.REST:
            raise AssertionError("the rest is no block of any architecture")
