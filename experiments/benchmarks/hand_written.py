"""Scoring removals the hand-written way, beside ours: the same actions, captions, noise and sampler, in paired runs.

    python experiments/benchmarks/hand_written.py

By hand: for every action a `StableDiffusionPipeline` is loaded and one block is cut out; it draws caption after caption
(as scripts do), or all captions in one batch; torchmetrics' `CLIPScore` reads every picture and its caption. Ours: one
supernet, switched, and what is always the same computed once. Prints medians of CPU time per scored picture. The
start-up of either (our models, torchmetrics' model) is left out; loading a pipeline per action is the way by hand.
"""

import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import open_clip
import torch
from PIL import Image
from torchmetrics.multimodal import CLIPScore

from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.folder import load_pipeline
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.sampling import initial_noise
from nas.scores.captions import read_captions
from nas.scores.prompts import ValidationSet
from search_spaces import Action, BlockKind
from search_spaces.block_forms import SkippedResnet, SkippedTransformer
from search_spaces.folders.loading import load_unet
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR
from search_spaces.supernet import Supernet

NUM_CAPTIONS, NUM_ROUNDS = 8, 5
LATENT_SHAPE = (4, 16, 16)
PROTOCOL = SamplingProtocol(num_steps=5, guidance_scale=2.0)
ACTIONS = tuple(map(Action.parse, ("-cross_attention[up.3,0]", "-resnet[up.3,1]", "-cross_attention[down.0,0]")))
VALIDATION = ValidationSet.from_captions(
    read_captions(PIPELINE_DIR.parent / "validation_captions.txt", num=NUM_CAPTIONS), seed=0, chunk_size=NUM_CAPTIONS
)


def main() -> None:
    """Measure in turn and print."""
    torch.set_num_threads(1)
    metric = CLIPScore(model_name_or_path=open_clip_suit)
    supernet = Supernet(load_unet(PIPELINE_DIR).requires_grad_(False))
    setting = ScoreSetting(
        model=ModelFolder(PIPELINE_DIR), validation=VALIDATION, protocol=PROTOCOL, latent_shape=LATENT_SHAPE
    )
    clip = ClipJudge(setting, model=str(OPEN_CLIP_DIR))
    evaluator = Evaluator(setting, score=clip, reference=supernet.unet)

    def ours(action: Action) -> float:
        with supernet.switched(action.apply(supernet.space.base)) as unet:
            return statistics.fmean(evaluator.evaluate(unet, chunk=0).scores)

    ways: dict[str, Callable[[Action], float]] = {
        "by hand, caption after caption": lambda action: by_hand(action, metric, batch_size=1),
        "by hand, in one batch": lambda action: by_hand(action, metric, batch_size=NUM_CAPTIONS),
        "ours": ours,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, set[float]] = {name: set() for name in ways}
    for _ in range(NUM_ROUNDS):
        for name, way in ways.items():
            start = time.process_time()
            scores[name] |= {round(way(action), 3) for action in ACTIONS}
            seconds[name].append(time.process_time() - start)
    num_pictures = len(ACTIONS) * NUM_CAPTIONS
    for name, values in seconds.items():
        ms = 1000 * statistics.median(values) / num_pictures
        ratios = [value / our for value, our in zip(values, seconds["ours"], strict=True)]
        print(
            f"{name:31} {ms:7.1f} ms of CPU time per picture, {statistics.median(ratios):.2f} times ours "
            f"(scores {sorted(scores[name])})"
        )


def by_hand(action: Action, metric: CLIPScore, *, batch_size: int) -> float:
    """Mean CLIP score of a pipeline without one block."""
    pipeline = load_pipeline(ModelFolder(PIPELINE_DIR))
    pipeline.set_progress_bar_config(disable=True)
    cut_out(pipeline.unet, action)
    captions = [prompt.caption for prompt in VALIDATION.prompts]
    noise = initial_noise([prompt.noise_seed for prompt in VALIDATION.prompts], shape=LATENT_SHAPE)
    metric.reset()
    for start in range(0, NUM_CAPTIONS, batch_size):
        part = slice(start, start + batch_size)
        pictures = pipeline(
            captions[part],
            latents=noise[part],
            num_inference_steps=PROTOCOL.num_steps,
            guidance_scale=PROTOCOL.guidance_scale,
            output_type="pt",
        ).images
        metric.update((pictures * 255).round().to(torch.uint8), captions[part])
    return float(metric.compute()) / 100


def cut_out(unet: torch.nn.Module, action: Action) -> None:
    """Replace one block by its shortcut, in place."""
    side, _, index = action.stage.partition(".")
    stage: Any = unet.get_submodule(f"{side}_blocks.{index}")
    if action.kind is BlockKind.RESNET:
        stage.resnets[action.position] = SkippedResnet(stage.resnets[action.position])
    else:
        stage.attentions[action.position] = SkippedTransformer()


def open_clip_suit() -> tuple[Any, Any]:
    """The bundled OpenCLIP model in the words of transformers, as torchmetrics speaks them."""
    source = f"local-dir:{OPEN_CLIP_DIR}"
    model, _, preprocess = open_clip.create_model_and_transforms(source, require_pretrained=True)
    tokenizer = open_clip.get_tokenizer(source)
    model.eval()

    def processor(text: Any = (), images: Any = (), **options: Any) -> dict[str, torch.Tensor]:
        if len(text):
            tokens = tokenizer(list(text))
            return {"input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
        as_pil = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in images]
        return {"pixel_values": torch.stack([preprocess(picture) for picture in as_pil])}

    return _Suit(model), processor


class _Suit(torch.nn.Module):
    """OpenCLIP's model with the methods of transformers' one."""

    config = SimpleNamespace()

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def get_image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_image(pixels)
        return features

    def get_text_features(self, tokens: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_text(tokens)
        return features


if __name__ == "__main__":
    main()
