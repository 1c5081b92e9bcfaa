"""BlockSignature: the kind and geometry of one block at one place; the key into latency tables.

Two blocks of equal signature cost the same on a device, wherever they stand. Knows shapes and their arithmetic
(parameters, multiply-accumulates); knows neither weights nor milliseconds.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from search_spaces.files.user_error import UserError

LARGEST: Final = 2**31 - 1  # size that a runtime counts to; so that no product of sizes is more than a float holds


class BlockKind(StrEnum):
    """Kinds of blocks that a latency table prices."""

    RESNET = "resnet"
    CROSS_ATTENTION = "cross_attention"
    SHORTCUT = "shortcut"
    DOWNSAMPLE = "downsample"
    UPSAMPLE = "upsample"
    CONV_IN = "conv_in"
    CONV_OUT = "conv_out"
    TIME_EMBEDDING = "time_embedding"
    REST = "rest"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BlockSignature:
    """Kind and geometry of one block.

    `height` and `width` are those of the block's input, in latent pixels; `in_channels` counts a concatenated skip.
    Fields that do not concern a kind are 0. `layers` is the depth of a cross-attention (a `Transformer2DModel`).
    `variant` tells apart what the other fields cannot: an attention that projects linearly, a ResNet with scale and
    shift, an upsampler whose output "25x25" is not twice its input.
    """

    kind: BlockKind
    in_channels: int = 0
    out_channels: int = 0
    height: int = 0
    width: int = 0
    layers: int = 0
    heads: int = 0
    head_dim: int = 0
    cross_attention_dim: int = 0
    context_tokens: int = 0
    temb_channels: int = 0
    variant: str = ""

    def __post_init__(self) -> None:
        numbers = (
            self.in_channels, self.out_channels, self.height, self.width, self.layers, self.heads, self.head_dim,
            self.cross_attention_dim, self.context_tokens, self.temb_channels,
        )  # fmt: skip
        if min(numbers) < 0 or max(numbers) > LARGEST:
            named = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("kind", "variant")}
            wrong = {name: value for name, value in named.items() if not 0 <= value <= LARGEST}
            raise UserError(
                f"numbers of a block signature must be from 0 to {LARGEST}, but got {wrong} for kind {self.kind}"
            )
        if self.kind is BlockKind.CROSS_ATTENTION and self.heads * self.head_dim == 0:
            raise UserError("a cross_attention signature needs `heads` and `head_dim` of at least 1")

    def __str__(self) -> str:
        """A short name such as "resnet 1920->640 32x32" or "cross_attention 320 64x64 x2"."""
        channels = (
            f"{self.in_channels}->{self.out_channels}"
            if self.in_channels != self.out_channels
            else f"{self.in_channels}"
        )
        text = f"{self.kind} {channels} {self.height}x{self.width}" if self.in_channels else str(self.kind)
        return f"{text} x{self.layers}" if self.layers > 1 else text

    @property
    def num_params(self) -> int:
        """Parameters of the block, as diffusers builds it."""
        c_in, c_out = self.in_channels, self.out_channels
        match self.kind:
            case BlockKind.RESNET:
                convolutions = 9 * c_in * c_out + c_out + 9 * c_out * c_out + c_out
                norms = 2 * c_in + 2 * c_out
                temb_width = 2 * c_out if self.variant == "scale_shift" else c_out
                temb = (self.temb_channels + 1) * temb_width if self.temb_channels else 0
                return convolutions + norms + temb + (c_in * c_out + c_out if c_in != c_out else 0)
            case BlockKind.SHORTCUT:
                return c_in * c_out + c_out
            case BlockKind.CROSS_ATTENTION:
                inner = self.heads * self.head_dim
                around = 2 * c_in + (c_in * inner + inner) + (inner * c_in + c_in)
                self_attention = 4 * inner * inner + inner
                cross_attention = 2 * inner * inner + 2 * self.cross_attention_dim * inner + inner
                feed_forward = inner * 8 * inner + 8 * inner + 4 * inner * inner + inner
                return around + self.layers * (self_attention + cross_attention + feed_forward + 6 * inner)
            case BlockKind.DOWNSAMPLE | BlockKind.UPSAMPLE | BlockKind.CONV_IN:
                return 9 * c_in * c_out + c_out
            case BlockKind.CONV_OUT:
                return 9 * c_in * c_out + c_out + 2 * c_in
            case BlockKind.TIME_EMBEDDING:
                return c_in * c_out + c_out + c_out * c_out + c_out
            case BlockKind.REST:
                return 0

    @property
    def num_macs(self) -> int:
        """Multiply-accumulates of one forward pass at batch 1: convolutions, linear layers and attention products."""
        c_in, c_out, tokens = self.in_channels, self.out_channels, self.height * self.width
        match self.kind:
            case BlockKind.RESNET:
                per_token = 9 * c_in * c_out + 9 * c_out * c_out + (c_in * c_out if c_in != c_out else 0)
                temb_width = 2 * c_out if self.variant == "scale_shift" else c_out
                return tokens * per_token + self.temb_channels * temb_width
            case BlockKind.SHORTCUT:
                return tokens * c_in * c_out
            case BlockKind.CROSS_ATTENTION:
                inner, context = self.heads * self.head_dim, self.context_tokens
                around = 2 * tokens * c_in * inner
                self_attention = 4 * tokens * inner * inner + 2 * tokens * tokens * inner
                keys_values = 2 * context * self.cross_attention_dim * inner
                cross_attention = 2 * tokens * inner * inner + keys_values + 2 * tokens * context * inner
                feed_forward = 12 * tokens * inner * inner
                return around + self.layers * (self_attention + cross_attention + feed_forward)
            case BlockKind.DOWNSAMPLE:
                return -(-self.height // 2) * -(-self.width // 2) * 9 * c_in * c_out
            case BlockKind.UPSAMPLE:
                height, width = map(int, self.variant.split("x")) if self.variant else (2 * self.height, 2 * self.width)
                return height * width * 9 * c_in * c_out
            case BlockKind.CONV_IN | BlockKind.CONV_OUT:
                return tokens * 9 * c_in * c_out
            case BlockKind.TIME_EMBEDDING:
                return c_in * c_out + c_out * c_out
            case BlockKind.REST:
                return 0
