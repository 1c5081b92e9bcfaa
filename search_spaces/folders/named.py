"""Several architectures in one UNet folder: one file of weights, and `architectures.json` beside it with their names.

The folder itself is the UNet with every block of all of them, and loads as such; by a name the architecture of that
name is cut out of the same weights.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from search_spaces.architecture import Architecture, ArchitectureError
from search_spaces.files.strict_json import JsonError, read_json_object
from search_spaces.folders.weight_files import ModelFolderError
from search_spaces.unets.diffusers_config import space_from_config

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

ARCHITECTURES: Final = "architectures.json"


def read_named(folder: Path, /) -> Mapping[str, Architecture]:
    """The architectures of a UNet folder by their names.

    Args:
        folder: Of the UNet.

    Raises:
        ModelFolderError: It holds none, or what stands there is none.
    """
    path = folder / ARCHITECTURES
    if not path.is_file():
        raise ModelFolderError(f"{folder} holds a single UNet without names, since it has no {ARCHITECTURES}")
    try:
        named = read_json_object(path)
        return {name: Architecture.from_dict(genes) for name, genes in named.items()}
    except (JsonError, ArchitectureError) as error:
        raise ModelFolderError(f"{path} must give each name an architecture: {error}") from error


def cut_out(unet: "UNet2DConditionModel", folder: Path, /, *, name: str) -> "UNet2DConditionModel":
    """The architecture of a name, with the weights of the UNet that holds every block; tensors are shared.

    Args:
        unet: As the folder loads it.
        folder: Of the UNet.
        name: One of its names.

    Raises:
        ModelFolderError: There is none of that name.
        ArchitectureError: It is another base model's.
    """
    from diffusers import UNet2DConditionModel as Base
    from torch import nn

    from search_spaces.folders.checked_loading import without_weights
    from search_spaces.supernet import Supernet

    named = read_named(folder)
    if name not in named:
        raise ModelFolderError(f"{folder} has no architecture {name!r:.50}; choose among {', '.join(named)}")
    most = max((max(p.resnets, p.cross_attentions) for each in named.values() for _, p in each.positions()), default=0)
    config = {key: value for key, value in dict(unet.config).items() if key != "architecture"}
    space = space_from_config(config, max_copies=most)
    space.check(named[name])
    with without_weights():
        base = Base.from_config(config)
    nn.Module.to(base.to_empty(device=unet.device), unet.dtype)  # without the words of diffusers' own
    supernet = Supernet(base, space=space)
    supernet.load_weights(unet.state_dict())
    cut: UNet2DConditionModel = supernet.materialise(named[name])
    return cut.eval()
