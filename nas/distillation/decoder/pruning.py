"""A decoder with fewer channels, cut out of a larger one: which channels stay, and the weights between those.

Channels that are added to each other stay or go together: those that flow past a row of ResNets are one stream, written
by every ResNet's second convolution, and each ResNet has hidden ones of its own. Every group of a group norm keeps as
many as every other, so that what a group norm averages over is part of what it averaged over before.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from nas.distillation.decoder.settings import Criterion
from search_spaces.files.user_error import UserError

Score = Callable[[Tensor], Tensor]  # of each channel, by the size of what writes it
Kept = Tensor  # indices of channels, rising
_ABSENT: Final = ("encoder.", "quant_conv.")  # what the small autoencoder lacks: all zeros


def pruned_widths(config: Mapping[str, Any], /, *, ratio: float) -> list[int]:
    """Channels of each stage that stay.

    Raises:
        UserError: They are no whole numbers, or cannot be cut into the groups of the group norms; the message names
            ratios that can.
    """
    widths, groups = list(config["block_out_channels"]), config["norm_num_groups"]

    def wrong(share: float) -> list[int]:
        return [width for width in widths if (kept := width * share) != int(kept) or kept < groups or kept % groups]

    if bad := wrong(ratio):
        smallest = min(widths)
        near = [part / smallest for part in range(1, smallest) if not wrong(part / smallest)]
        choice = f"choose among {', '.join(f'{each:g}' for each in near)}" if near else "no ratio leaves any"
        raise UserError(
            f"`ratio` must leave channels that the {groups} groups of the decoder's norms share evenly "
            f"(`norm_num_groups`), but {ratio:g} of {bad[0]} channels is {bad[0] * ratio:g}; {choice}"
        )
    return [int(width * ratio) for width in widths]


def pruned(vae: AutoencoderKL, /, *, ratio: float, criterion: Criterion, seed: int) -> AutoencoderKL:
    """An autoencoder with the decoder of another one, narrowed; its encoder, which nobody trained, is all zeros.

    Args:
        vae: The other one.
        ratio: Share of the channels that stay.
        criterion: Which.
        seed: Of random ones.

    Raises:
        UserError: As `pruned_widths`.
    """
    config = {key: value for key, value in vae.config.items() if not key.startswith("_")}
    widths = pruned_widths(config, ratio=ratio)
    small = AutoencoderKL(**config | {"block_out_channels": widths})
    generator = torch.Generator().manual_seed(seed)
    cut = _Cut(ratio=ratio, groups=config["norm_num_groups"], score=_score(criterion, generator))
    weights = dict(cut.weights(vae.decoder))
    if config.get("use_post_quant_conv", True):
        weights |= {f"post_quant_conv.{name}": each for name, each in vae.post_quant_conv.state_dict().items()}
    zeros = {name: torch.zeros_like(each) for name, each in small.state_dict().items() if name.startswith(_ABSENT)}
    small.load_state_dict(zeros | {_named(name): each.clone() for name, each in weights.items()})
    return small.eval()


def _named(name: str) -> str:
    return name if name.startswith("post_quant_conv.") else f"decoder.{name}"


def _score(criterion: Criterion, generator: torch.Generator) -> Score:
    match criterion:
        case Criterion.MAGNITUDE:
            return lambda squares: squares
        case Criterion.FIRST:
            return lambda squares: -torch.arange(len(squares), dtype=torch.float32)
        case Criterion.RANDOM:
            return lambda squares: torch.rand(len(squares), generator=generator)


@dataclass(slots=True, kw_only=True)
class _Cut:
    """One narrowing.

    Attributes:
        ratio: Share that stays.
        groups: Of the group norms.
        score: Which stay.
    """

    ratio: float
    groups: int
    score: Score
    _written: dict[int, Tensor] = field(default_factory=dict)  # by stream: squares of what writes each channel

    def weights(self, decoder: Any, /) -> Iterator[tuple[str, Tensor]]:
        """The narrowed weights of a decoder, by name."""
        units = list(_units(decoder))
        for unit in units:
            for writer in unit.writers:
                squares = _squares(writer)
                self._written[unit.out] = self._written.get(unit.out, torch.zeros_like(squares)) + squares
        streams = {number: self._kept(squares) for number, squares in self._written.items()}
        whole = torch.arange(decoder.conv_in.in_channels)
        yield from _conv("conv_in", decoder.conv_in, into=whole, out=streams[0])
        for unit in units[1:]:
            yield from self._unit(unit, into=streams[unit.into], out=streams[unit.out])
        last = streams[units[-1].out]
        yield from _norm("conv_norm_out", decoder.conv_norm_out, last)
        yield from _conv("conv_out", decoder.conv_out, into=last, out=torch.arange(decoder.conv_out.out_channels))

    def _kept(self, squares: Tensor, *, groups: int | None = None) -> Kept:
        """The channels that stay, equally many of each group."""
        groups = self.groups if groups is None else groups
        scores = self.score(squares.float()).view(groups, -1)
        num = round(scores.shape[1] * self.ratio)
        best = scores.argsort(dim=1, descending=True, stable=True)[:, :num].sort(dim=1).values
        return (best + torch.arange(groups)[:, None] * scores.shape[1]).flatten()

    def _unit(self, unit: "_Unit", *, into: Kept, out: Kept) -> Iterator[tuple[str, Tensor]]:
        """The narrowed weights of a part."""
        if isinstance(unit.module, nn.Conv2d):
            return _conv(unit.name, unit.module, into=into, out=out)
        if unit.is_attention:
            return self._attention(unit.name, unit.module, into=into, out=out)
        return self._resnet(unit.name, unit.module, into=into, out=out)

    def _resnet(self, name: str, block: Any, *, into: Kept, out: Kept) -> Iterator[tuple[str, Tensor]]:
        """A ResNet between two streams; its hidden channels are chosen by what writes them."""
        hidden = self._kept(_squares(block.conv1))
        yield from _norm(f"{name}.norm1", block.norm1, into)
        yield from _conv(f"{name}.conv1", block.conv1, into=into, out=hidden)
        yield from _norm(f"{name}.norm2", block.norm2, hidden)
        yield from _conv(f"{name}.conv2", block.conv2, into=hidden, out=out)
        if block.conv_shortcut is not None:
            yield from _conv(f"{name}.conv_shortcut", block.conv_shortcut, into=into, out=out)

    def _attention(self, name: str, block: Any, *, into: Kept, out: Kept) -> Iterator[tuple[str, Tensor]]:
        """A self-attention of one head; its inner channels are chosen by the products that they are part of."""
        assert block.heads == 1, "an autoencoder's attention has one head"
        matching = self._kept(_squares(block.to_q) * _squares(block.to_k), groups=1)
        told = self._kept(_squares(block.to_v) * block.to_out[0].weight.detach().pow(2).sum(0), groups=1)
        yield from _norm(f"{name}.group_norm", block.group_norm, into)
        for which, rows in (("to_q", matching), ("to_k", matching), ("to_v", told)):
            yield from _linear(f"{name}.{which}", getattr(block, which), into=into, out=rows)
        yield from _linear(f"{name}.to_out.0", block.to_out[0], into=told, out=out)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """A part of a decoder between two streams, or on one.

    Attributes:
        name: Of its module.
        module: Its module.
        into: Number of the stream that it reads.
        out: Number of the stream that it writes.
        writers: The layers that write it.
        is_attention: Whether it is one.
    """

    name: str
    module: Any
    into: int
    out: int
    writers: tuple[nn.Module, ...]
    is_attention: bool = False


def _units(decoder: Any) -> Iterator[_Unit]:
    """The parts of a decoder in the order of its forward pass; the first is `conv_in`, which writes stream 0."""
    stream = 0
    yield _Unit(name="conv_in", module=decoder.conv_in, into=0, out=0, writers=(decoder.conv_in,))
    blocks = [("mid_block", decoder.mid_block)]
    blocks += [(f"up_blocks.{number}", block) for number, block in enumerate(decoder.up_blocks)]
    for name, block in blocks:
        attentions = list(getattr(block, "attentions", None) or [])
        is_mid = name == "mid_block"
        for index, resnet in enumerate(block.resnets):
            leads = stream + 1 if resnet.conv_shortcut is not None else stream
            writers = (resnet.conv2,) if resnet.conv_shortcut is None else (resnet.conv2, resnet.conv_shortcut)
            yield _Unit(name=f"{name}.resnets.{index}", module=resnet, into=stream, out=leads, writers=writers)
            stream = leads
            attention = attentions[index] if index < len(attentions) else None  # mid: ResNet, attention, ResNet
            if attention is not None:
                yield _Unit(
                    name=f"{name}.attentions.{index}",
                    module=attention,
                    into=stream,
                    out=stream,
                    writers=(attention.to_out[0],),
                    is_attention=True,
                )
        if not is_mid:
            for index, sampler in enumerate(block.upsamplers or ()):
                yield _Unit(
                    name=f"{name}.upsamplers.{index}.conv",
                    module=sampler.conv,
                    into=stream,
                    out=stream + 1,
                    writers=(sampler.conv,),
                )
                stream += 1


def _squares(layer: Any) -> Tensor:
    """Sum of squares of the weights that write each channel."""
    squares: Tensor = layer.weight.detach().flatten(1).pow(2).sum(1)
    return squares


def _conv(name: str, layer: Any, *, into: Kept, out: Kept) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", layer.weight.detach()[out][:, into]
    if layer.bias is not None:
        yield f"{name}.bias", layer.bias.detach()[out]


_linear = _conv  # rows and columns mean the same


def _norm(name: str, layer: Any, kept: Kept) -> Iterator[tuple[str, Tensor]]:
    yield f"{name}.weight", layer.weight.detach()[kept]
    yield f"{name}.bias", layer.bias.detach()[kept]
