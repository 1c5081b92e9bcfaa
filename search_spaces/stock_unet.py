"""A plain `UNet2DConditionModel` that computes an architecture which no stock config can express: blocks made neutral.

The nearest stock architecture (`stock_hull`) has blocks that the architecture lacks; with zeroed output projections
they add nothing, so the result is the same. They cost time all the same.
"""

import copy
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.block_forms import neutralise
from search_spaces.difference import PositionChange, changed_positions
from search_spaces.supernet import Supernet
from search_spaces.unets.stock_law import stock_hull, stock_reasons
from search_spaces.unets.wiring import module_prefixes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NeutralUNet:
    """A UNet with the structure of a stock architecture that computes another one.

    Attributes:
        unet: Weights are the supernet's own, but for neutral blocks, which are copies.
        hull: The stock architecture that it has the structure of.
        neutral: Names of the modules that add nothing.
    """

    unet: UNet2DConditionModel
    hull: Architecture
    neutral: tuple[str, ...]


def neutral_unet(supernet: Supernet, architecture: Architecture, /) -> NeutralUNet:
    """Cut the nearest stock architecture out of a supernet and make neutral what the architecture lacks.

    Raises:
        ArchitectureError: Not even its hull is a stock config: all reasons.
    """
    hull = stock_hull(architecture, space=supernet.space)
    if reasons := stock_reasons(hull, space=supernet.space):
        raise ArchitectureError(
            "no stock config holds this architecture, with neutral blocks or without: " + "; ".join(reasons)
        )
    unet, neutral = supernet.materialise(hull), []
    prefixes = module_prefixes(hull)
    for change in changed_positions(architecture, hull, space=supernet.space):
        sources = [position.source for position in hull.stage(change.place).positions]
        neutral += _neutralised(unet.get_submodule(prefixes[change.place]), sources.index(change.source), change)
    names = {id(module): name for name, module in unet.named_modules()}
    return NeutralUNet(unet=unet, hull=hull, neutral=tuple(names[id(module)] for module in neutral))


def _neutralised(stage: nn.Module, index: int, change: PositionChange) -> list[nn.Module]:
    """Make neutral what a position of a stage has more; the modules that are."""
    before, after, done = change.before, change.after, []
    assert before is not None, "a hull has the positions of its architecture"
    assert after is not None
    if after.resnets > before.resnets:
        done.append(_own_neutral(stage.get_submodule("resnets"), index))
    if after.cross_attentions > before.cross_attentions == 0:
        done.append(_own_neutral(stage.get_submodule("attentions"), index))
    elif after.cross_attentions > before.cross_attentions:
        layers = stage.get_submodule(f"attentions.{index}.transformer_blocks")
        done += [_own_neutral(layers, i) for i in range(before.cross_attentions, after.cross_attentions)]
    return done


def _own_neutral(modules: nn.Module, index: int) -> nn.Module:
    """Put a neutral copy in a module's place, so that the supernet's weights stay as they are."""
    assert isinstance(modules, nn.ModuleList)
    with torch.no_grad():
        block = copy.deepcopy(modules[index])
    neutralise(block)
    modules[index] = block
    return block
