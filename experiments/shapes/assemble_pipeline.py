"""Writes the parts of the pipeline folder that follow from the OpenCLIP model: text encoder, tokenizer, scheduler.

    python -m experiments.shapes.assemble_pipeline --open-clip OPEN_CLIP_FOLDER --out PIPELINE_FOLDER

The text encoder is the OpenCLIP text tower converted to transformers' `CLIPTextModel`, checked to give the same
hidden states. Files are written so that transformers 4 and 5 both read them.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import open_clip
import torch
from diffusers import DDIMScheduler
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

TOKENIZER_FILES = ("vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json")

SCHEDULES: dict[str, dict[str, Any]] = {  # as Stable Diffusion 1.5 has it, and as Lin and others (2023) mend it
    "stable-diffusion": {"prediction_type": "epsilon"},
    "zero-snr": {
        "prediction_type": "v_prediction",
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    },
}


def convert_text_tower(state: dict[str, torch.Tensor], *, num_layers: int) -> dict[str, torch.Tensor]:
    """OpenCLIP names to transformers names, the joint q/k/v projection split in three."""
    out = {
        "text_model.embeddings.token_embedding.weight": state["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": state["positional_embedding"],
        "text_model.final_layer_norm.weight": state["ln_final.weight"],
        "text_model.final_layer_norm.bias": state["ln_final.bias"],
    }
    names = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.out_proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    for layer in range(num_layers):
        source, target = f"transformer.resblocks.{layer}", f"text_model.encoder.layers.{layer}"
        for kind in ("weight", "bias"):
            for old, new in names.items():
                out[f"{target}.{new}.{kind}"] = state[f"{source}.{old}.{kind}"]
            parts = state[f"{source}.attn.in_proj_{kind}"].chunk(3)
            for letter, part in zip("qkv", parts, strict=True):
                out[f"{target}.self_attn.{letter}_proj.{kind}"] = part
    return {k: v.detach().clone().contiguous() for k, v in out.items()}


def write_text_encoder(open_clip_dir: Path, out: Path) -> None:
    config = json.loads((open_clip_dir / "open_clip_config.json").read_text())["model_cfg"]
    text = config["text_cfg"]
    model = open_clip.create_model(f"local-dir:{open_clip_dir}", require_pretrained=True).eval()
    state = convert_text_tower(model.state_dict(), num_layers=text["layers"])
    hf_config = CLIPTextConfig(
        vocab_size=text["vocab_size"],
        hidden_size=text["width"],
        intermediate_size=4 * text["width"],
        projection_dim=config["embed_dim"],
        num_hidden_layers=text["layers"],
        num_attention_heads=text["heads"],
        max_position_embeddings=text["context_length"],
        hidden_act="gelu",
        eos_token_id=text["vocab_size"] - 1,
        bos_token_id=text["vocab_size"] - 2,
        pad_token_id=text["vocab_size"] - 1,
    )
    hf_config.architectures = ["CLIPTextModel"]
    out.mkdir(parents=True, exist_ok=True)
    hf_config.save_pretrained(out)
    save_file({k: v.float() for k, v in state.items()}, out / "model.safetensors", metadata={"format": "pt"})
    tokens = open_clip.get_tokenizer(f"local-dir:{open_clip_dir}")(
        ["a red circle", "two striped orange stars above a blue fish"]
    )
    with torch.inference_mode():
        theirs = CLIPTextModel.from_pretrained(out, torch_dtype=torch.float32).eval()(tokens).last_hidden_state
        x = model.token_embedding(tokens) + model.positional_embedding
        ours = model.ln_final(model.transformer(x, attn_mask=model.attn_mask))
    difference = (theirs - ours).abs().max().item()
    if difference > 1e-5:
        raise ValueError(f"the converted text tower differs from OpenCLIP's by {difference}")
    print(f"text encoder converted, largest difference {difference:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--open-clip", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--schedule", choices=SCHEDULES, default="zero-snr")
    args = parser.parse_args()
    write_text_encoder(args.open_clip, args.out / "text_encoder")
    (args.out / "tokenizer").mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        shutil.copy(args.open_clip / name, args.out / "tokenizer" / name)
    DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        **SCHEDULES[args.schedule],
    ).save_pretrained(args.out / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (args.out / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


if __name__ == "__main__":
    main()
