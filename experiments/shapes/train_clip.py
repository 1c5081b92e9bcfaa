"""Recipe 2 of 4: the OpenCLIP model that scores the small model's pictures.

    python -m experiments.shapes.train_clip --out search_spaces/shapes/open_clip --work runs/shapes/clip

Contrastive training on rendered scenes; half of each batch are near misses of the other half (one word changed), so
that the score hears every word. Resumes from --work. Ends with retrieval among 500 held-out captions.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from experiments.shapes import checkpoint
from experiments.shapes.make_tokenizer import CONTEXT_TOKENS
from experiments.shapes.pace import paced
from experiments.shapes.rendered import held_out_scenes, pictures, rendered
from search_spaces.shapes.renderer import PICTURE_PX
from search_spaces.shapes.scenes import caption_of

MEAN, STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def model_config(num_tokens: int) -> dict[str, object]:
    return {
        "embed_dim": 128,
        "vision_cfg": {"image_size": PICTURE_PX, "layers": 5, "width": 192, "head_width": 32, "patch_size": 8},
        "text_cfg": {
            "context_length": CONTEXT_TOKENS,
            "vocab_size": num_tokens,
            "width": 128,
            "heads": 4,
            "layers": 4,
            "hf_tokenizer_name": "./",
            "tokenizer_kwargs": {"clean": "lower"},
        },
    }


def write_config(folder: Path) -> None:
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    preprocess = {
        "size": [PICTURE_PX, PICTURE_PX],
        "mode": "RGB",
        "mean": MEAN,
        "std": STD,
        "interpolation": "bicubic",
        "resize_mode": "squash",
    }
    config = {"model_cfg": model_config(len(vocabulary)), "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


@torch.inference_mode()
def retrieval(model: open_clip.CLIP, tokenizer: open_clip.tokenizer.HFTokenizer, num: int = 500) -> tuple[float, float]:
    """Share of held-out pictures whose own caption ranks first among `num`, and their mean cosine."""
    device = model.logit_scale.device
    rng = np.random.default_rng(7)
    scenes = held_out_scenes(rng, num)
    image = model.encode_image(pictures(scenes, rng).to(device), normalize=True)
    text = model.encode_text(tokenizer([caption_of(s) for s in scenes]).to(device), normalize=True)
    similarity = (image @ text.T).cpu()
    return (similarity.argmax(1) == torch.arange(num)).float().mean().item(), similarity.diagonal().mean().item()


def rate_of(step: int, *, peak: float, steps: int) -> float:
    """Warm-up of 200 steps, then half a cosine."""
    return peak * min(1.0, (step + 1) / 200) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def loss_of(model: open_clip.CLIP, image: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """The contrastive loss; pictures of one caption are right for each other."""
    text = model.encode_text(tokens, normalize=True)
    logits = model.logit_scale.exp() * model.encode_image(image, normalize=True) @ text.T
    same = (tokens[:, None] == tokens[None]).all(-1).float()
    target = same / same.sum(1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="OpenCLIP folder; holds the tokenizer files already")
    parser.add_argument("--work", type=Path, required=True, help="folder of the resumable checkpoint")
    parser.add_argument("--pictures", type=Path, required=True, help="the file of `experiments.shapes.rendered`")
    parser.add_argument("--num", type=int, required=True, help="how many they are")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seconds", type=float, help="as many steps as fit into them")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    data = rendered(args.pictures, num=args.num)
    write_config(args.out)
    config = json.loads((args.out / "open_clip_config.json").read_text())["model_cfg"]
    tokenizer = open_clip.get_tokenizer(f"local-dir:{args.out}")
    text_cfg = {k: v for k, v in config["text_cfg"].items() if not k.startswith(("hf_", "tokenizer_"))}
    model = open_clip.CLIP(embed_dim=config["embed_dim"], vision_cfg=config["vision_cfg"], text_cfg=text_cfg)
    model.to(args.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    path = args.work / "checkpoint.safetensors"
    start = checkpoint.restore(path, model=model, optimizer=optimizer)
    shown = data.on(args.device)
    tokens = tokenizer(data.captions).to(args.device)
    clock = time.monotonic()
    settle = model.logit_scale.item
    for step, total in paced("clip", steps=args.steps, seconds=args.seconds, start=start, settle=settle):
        generator = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        pairs = torch.randperm(len(tokens) // 2, generator=generator)[: args.batch // 2]
        rows = torch.stack([2 * pairs, 2 * pairs + 1], dim=1).reshape(-1).to(args.device)
        image = shown.batch(rows)
        image = image + torch.randn_like(image) * torch.rand(len(image), 1, 1, 1, device=args.device) * 0.12
        for group in optimizer.param_groups:
            group["lr"] = rate_of(step, peak=args.learning_rate, steps=total)
        with torch.autocast(args.device, torch.bfloat16, enabled=args.device != "cpu"):
            loss = loss_of(model, image, tokens[rows])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(30.0))
        if (step + 1) % 1000 == 0 or step + 1 == total:
            checkpoint.save(path, step=step + 1, model=model, optimizer=optimizer)
            model.eval()
            top1, cosine = retrieval(model, tokenizer)
            model.train()
            print(
                f"clip: step {step + 1} loss {loss.item():.3f} held-out retrieval@1 of 500 {top1:.3f} "
                f"cosine {cosine:.3f} {time.monotonic() - clock:.0f} s",
                flush=True,
            )
    state = {k: v.half().cpu().contiguous() for k, v in model.state_dict().items()}
    save_file(state, args.out / "open_clip_model.safetensors")


if __name__ == "__main__":
    main()
