"""A supernet of whatever a reference means: one UNet that computes every architecture of its space."""

from os import PathLike

from nas.pipelines.source import local_folder
from search_spaces.actions import CopyStart
from search_spaces.choices import chosen
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import load_unet, read_unet_config
from search_spaces.supernet import Supernet
from search_spaces.unets.diffusers_config import space_from_config
from search_spaces.unets.space import DEFAULT_MAX_COPIES
from search_spaces.unets.stock_space import SpaceForm


def load_supernet(
    model: str | PathLike[str],
    /,
    *,
    variant: str | None = None,
    max_copies: int = DEFAULT_MAX_COPIES,
    space: SpaceForm | str = SpaceForm.ANY,
    copy_start: CopyStart | str = CopyStart.NEUTRAL,
) -> Supernet:
    """Load a model's UNet as a supernet, with the model's own weights, on the CPU.

    Args:
        model: A pipeline folder, or "hub:ORG/NAME".
        variant: Of its weight files, such as "fp16".
        max_copies: How many copies one block may get.
        space: "any" or "stock".
        copy_start: How the weights of a copy start: "neutral", "gated" or "same".

    Raises:
        ValueError: No such model, or no UNet that this package understands.
    """
    folder = local_folder(model, variant=variant)
    if max_copies < 0:
        raise UserError(f"`max_copies` must be at least 0, but got {max_copies}")
    form = chosen(SpaceForm, space, name="space")
    return Supernet(
        load_unet(folder, variant=variant),
        space=space_from_config(read_unet_config(folder), max_copies=max_copies, form=form),
        copy_start=chosen(CopyStart, copy_start, name="copy_start"),
    )
