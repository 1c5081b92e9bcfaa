"""What blocks of a diffusers UNet become: skipped, followed by copies, damped at a copy's birth, and twins."""

import copy
from typing import TypeVar

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from jaxtyping import Float
from torch import Tensor, nn

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


def twin(module: M, /) -> M:
    """A module with a structure of its own and the same weights."""
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return copy.deepcopy(module, shared)


def neutralise(block: nn.Module, /) -> None:
    """Zero the output projections of a block, so that only its shortcut speaks.

    Raises:
        TypeError: Not a ResNet, a transformer or one of its layers.
    """
    damp(block, gate=0.0)


@torch.no_grad()
def damp(block: nn.Module, /, *, gate: float) -> None:
    """Multiply the output projections of a block.

    Raises:
        TypeError: Not a ResNet, a transformer or one of its layers.
    """
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
