"""Single-file checkpoints of small pipelines, under the names that Stable Diffusion's own trainers give to weights.

The inverse of diffusers' conversion, written down from the layout of the CompVis code: blocks are numbered through, and
attention of the autoencoder is a 1x1 convolution.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from search_spaces.folders.loading import read_unet_config

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OPEN_CLIP = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
_OPEN_CLIP_ENDS = {
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}


def write_single_file(path: Path, folder: Path, /) -> Path:
    """Write the weights of a pipeline folder with one or two text encoders as a checkpoint file."""
    weights = dict(_unet(folder)) | dict(_vae(folder))
    if (folder / "text_encoder_2").is_dir():
        weights |= dict(_clip(folder / "text_encoder", "conditioner.embedders.0.transformer."))
        weights |= dict(_open_clip(folder / "text_encoder_2", "conditioner.embedders.1.model."))
    else:
        weights |= dict(_clip(folder / "text_encoder", "cond_stage_model.transformer."))
    save_file({name: weight.contiguous() for name, weight in weights.items()}, path)
    return path


def _unet(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    step = read_unet_config(folder)["layers_per_block"] + 1
    attends = [kind.startswith("CrossAttn") for kind in read_unet_config(folder)["up_block_types"]]
    for name, weight in _weights(folder / "unet").items():
        module, _, kind = name.rpartition(".")
        yield f"model.diffusion_model.{_unet_module(module, step, attends)}.{kind}", weight


def _unet_module(module: str, step: int, attends: list[bool]) -> str:
    if module in _UNET_ENDS:
        return _UNET_ENDS[module]
    found = re.fullmatch(r"(down|up|mid)_blocks?\.(?:(\d+)\.)?(\w+)\.(\d+)\.(.+)", module)
    assert found, module
    side, stage, kind, index, rest = found[1], int(found[2] or 0), found[3], int(found[4]), found[5]
    if kind == "downsamplers":
        return f"input_blocks.{(stage + 1) * step}.0.op"
    if kind == "upsamplers":
        return f"output_blocks.{(stage + 1) * step - 1}.{2 if attends[stage] else 1}.conv"
    rest = _RESNET[rest] if kind == "resnets" else rest
    if side == "mid":
        return f"middle_block.{2 * index if kind == 'resnets' else 1}.{rest}"
    block = f"input_blocks.{stage * step + index + 1}" if side == "down" else f"output_blocks.{stage * step + index}"
    return f"{block}.{0 if kind == 'resnets' else 1}.{rest}"


def _vae(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    weights = _weights(folder / "vae")
    last = max(int(found[1]) for name in weights if (found := re.match(r"decoder\.up_blocks\.(\d+)", name)))
    for name, weight in weights.items():
        name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
        name = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", name)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda m: f"up.{last - int(m[1])}.block.", name)
        name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        found = re.fullmatch(r"(\w+)\.mid_block\.attentions\.0\.(.+)\.(weight|bias)", name)
        if found:
            name = f"{found[1]}.mid.attn_1.{_VAE_ATTENTION[found[2]]}.{found[3]}"
            weight = weight[:, :, None, None] if weight.ndim == 2 else weight
        yield f"first_stage_model.{name}", weight


def _clip(folder: Path, prefix: str) -> Iterator[tuple[str, torch.Tensor]]:
    for name, weight in _weights(folder).items():
        yield f"{prefix}text_model.{name.removeprefix('text_model.')}", weight


def _open_clip(folder: Path, prefix: str) -> Iterator[tuple[str, torch.Tensor]]:
    weights = {name.removeprefix("text_model."): weight for name, weight in _weights(folder).items()}
    for name, weight in weights.items():
        if name == "text_projection.weight":
            yield f"{prefix}text_projection", weight.T
        elif name in _OPEN_CLIP_ENDS:
            yield prefix + _OPEN_CLIP_ENDS[name], weight
        elif ".q_proj." in name:
            parts = [weights[name.replace("q_proj", f"{which}_proj")] for which in "qkv"]
            block = name.replace("encoder.layers.", "resblocks.").replace("self_attn.q_proj.", "attn.in_proj_")
            yield f"{prefix}transformer.{block}", torch.cat(parts)
        elif ".k_proj." not in name and ".v_proj." not in name:
            for ours, theirs in _OPEN_CLIP.items():
                name = name.replace(ours, theirs)
            block = name.replace("encoder.layers.", "resblocks.").replace("self_attn.", "attn.")
            yield f"{prefix}transformer.{block}", weight


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    (path,) = folder.glob("*.safetensors")
    return load_file(path)
