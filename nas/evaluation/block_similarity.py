"""Block similarity: how much each block changes what passes through it, all blocks in one shared pass.

While the round's network answers some noisy latents (`nas.evaluation.questions`), every block notes

    sum of (output - what stays)^2 / sum of output^2

where what stays is what a removal leaves: the input, or what the shortcut of a ResNet makes of it. A network without
some of these blocks has the sum of their numbers, so that scoring it takes no pass at all. What later blocks make of
the change is not seen: that is what the output change costs passes for.
"""

from collections.abc import Callable
from typing import Any, Final

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from jaxtyping import Float
from torch import Tensor

from nas.evaluation.door import Reference, ScoreError
from nas.evaluation.questions import Questions
from nas.evaluation.setting import ScoreSetting
from search_spaces.files.digests import digest_of

RULE: Final = 1  # number of the rule above: counts up when it gives other numbers
BLOCKS: Final = (ResnetBlock2D, Transformer2DModel, BasicTransformerBlock)


class BlockSimilarity:
    """Relative change of what passes through the blocks that the round's network has and this one has not.

    Args:
        setting: The prompts, and how pictures are made.
        num_timesteps: Random timesteps per prompt.

    Raises:
        ScoreError: `num_timesteps` is no positive integer.
    """

    name = "block_similarity"
    unit = "share of the output's power"
    higher_is_better = False
    is_distance = True
    reference = Reference.ROUND
    passes_per_prompt = 0

    def __init__(self, setting: ScoreSetting, /, *, num_timesteps: int = 1) -> None:
        self._setting = setting
        self._questions = Questions(setting, num_timesteps=num_timesteps, of=self.name)
        self.passes_to_refer = num_timesteps
        self.passes_to_start = self._questions.passes_to_draw + num_timesteps
        self.digest = digest_of({"rule": RULE, "num_timesteps": num_timesteps})

    def start(self, reference: torch.nn.Module, /) -> None:
        """Draw the base model's pictures, and see what its blocks do."""
        self._questions.draw(reference)
        self.refer(reference)

    def refer(self, reference: torch.nn.Module, /) -> None:
        """See what the blocks of another network do.

        Raises:
            ScoreError: It has none of the blocks that this score knows.
        """
        self._around = _blocks(reference)
        if not self._around:
            raise ScoreError(
                "block_similarity knows the ResNets and transformers of diffusers, but this UNet has none of them; "
                "choose another score"
            )
        self._changes = [
            [self._changes_in(reference, question) for question in questions] for questions in self._questions
        ]

    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        """The sum over the blocks that are missing, of every prompt of a chunk, over its timesteps."""
        present = _blocks(unet)
        gone = [
            block
            for block, around in self._around.items()
            if block not in present and (not around or around in present)
        ]
        nothing = torch.zeros(len(self._setting.prompts(chunk)), dtype=torch.float64)
        totals = [sum((changes[block] for block in gone), start=nothing) for changes in self._changes[chunk]]
        return tuple(torch.stack(totals).mean(dim=0).tolist())

    def _changes_in(self, reference: torch.nn.Module, question: Any) -> dict[torch.nn.Module, Float[Tensor, " n"]]:
        changes = dict[torch.nn.Module, Float[Tensor, " n"]]()
        hooks = [
            block.register_forward_hook(_noting(changes), with_kwargs=True)  # as diffusers calls blocks
            for block in self._around
        ]
        try:
            with torch.compiler.set_stance("force_eager"):  # hooks are no part of what was compiled
                self._questions.answer(reference, question)
        finally:
            for hook in hooks:
                hook.remove()
        return changes


def _blocks(unet: torch.nn.Module) -> dict[torch.nn.Module, torch.nn.Module | None]:
    """Every block, with the transformer that it is a layer of."""
    blocks: dict[torch.nn.Module, torch.nn.Module | None] = {}
    for module in unet.modules():  # from the outside to the inside
        if isinstance(module, BLOCKS):
            blocks.setdefault(module, None)
            blocks |= {part: module for part in module.modules() if part is not module and isinstance(part, BLOCKS)}
    return blocks


def _noting(changes: dict[torch.nn.Module, Float[Tensor, " n"]]) -> Callable[..., None]:
    """A hook that notes the relative change that a block makes."""

    def note(block: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        left = args[0] if args else kwargs["hidden_states"]
        output = output[0] if isinstance(output, tuple) else getattr(output, "sample", output)
        if isinstance(block, ResnetBlock2D):
            left = (left if block.conv_shortcut is None else block.conv_shortcut(left)) / block.output_scale_factor
        changes[block] = (_power(output.float() - left.float()) / _power(output.float())).cpu()

    return note


def _power(values: Tensor) -> Float[Tensor, " n"]:
    return values.double().flatten(1).square().sum(dim=1)
