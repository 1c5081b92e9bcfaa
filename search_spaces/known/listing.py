"""The models with a name in one listing: blocks, removals, parameters and MACs, from their configs alone."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from search_spaces.known.architectures import BASE_CONFIGS, KNOWN_ARCHITECTURES, base_space, known_config
from search_spaces.unets.diffusers_config import space_from_config
from search_spaces.unets.shape import DEFAULT_CONTEXT_TOKENS

COLUMNS: Final = {
    "name": "name",
    "base": "from",
    "num_cross_attentions": "cross-attentions",
    "num_resnets": "ResNets",
    "num_removals": "removals",
    "num_params": "parameters",
    "num_macs": "MACs",
    "latents": "latents",
}


def known_models() -> list[dict[str, Any]]:
    """One entry per known model: the base models, then what was made of them.

    `num_cross_attentions` counts layers; `num_removals` is that of the model's own space, where every layer and every
    ResNet can go; MACs are those of one forward pass at the model's own latent size.
    """
    entries = []
    for name in (*BASE_CONFIGS, *KNOWN_ARCHITECTURES):
        config, known = known_config(name), KNOWN_ARCHITECTURES.get(name)
        if config is not None:
            space = space_from_config(config)
            architecture = space.base
        else:
            assert known is not None
            space, architecture = base_space(known.base), known.build()
        height, width = space.sample_size
        entries.append(
            {
                "name": name,
                "base": "" if known is None else known.base,
                "num_cross_attentions": architecture.num_cross_attentions,
                "num_resnets": architecture.num_resnets,
                "num_removals": len(space.removals(architecture)),
                "num_params": space.num_params(architecture),
                "num_macs": space.num_macs(architecture),
                "latents": f"{height}x{width}",
                "context_tokens": DEFAULT_CONTEXT_TOKENS,
                "is_stock": config is not None,
            }
        )
    return entries


def markdown_table(models: Iterable[Mapping[str, Any]], /) -> str:
    """The same as a table in Markdown."""
    lines = ["| " + " | ".join(COLUMNS.values()) + " |", "|---|---|" + "---:|" * (len(COLUMNS) - 2)]
    for model in models:
        cells = (f"{model[key]:,}" if isinstance(model[key], int) else str(model[key]) for key in COLUMNS)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
