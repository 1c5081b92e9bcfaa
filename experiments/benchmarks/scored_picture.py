"""What a scored picture costs beside its bare UNet forward passes, on the bundled model.

    python experiments/benchmarks/scored_picture.py

Times UNet passes, decoding and CLIP apart, and the whole evaluation, in turn over several rounds; prints medians of
CPU time per picture and the paired ratio of the whole to the bare passes.
"""

import statistics
import time
from collections.abc import Callable

import torch

from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.captions import read_captions
from nas.scores.prompts import ValidationSet
from search_spaces.folders.loading import load_unet
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR

NUM_PICTURES, NUM_ROUNDS = 8, 9
LATENT_SHAPE = (4, 16, 16)


def main() -> None:
    """Measure and print, for a quick protocol and for a thorough one."""
    torch.set_num_threads(1)
    for num_steps in (5, 25):
        measure(SamplingProtocol(num_steps=num_steps, guidance_scale=2.0))


def measure(protocol: SamplingProtocol) -> None:
    """Time the whole and its parts in turn."""
    captions = read_captions(PIPELINE_DIR.parent / "validation_captions.txt", num=NUM_PICTURES)
    parts, unet = PipelineParts.load(ModelFolder(PIPELINE_DIR)), load_unet(PIPELINE_DIR)
    setting = ScoreSetting(
        model=ModelFolder(PIPELINE_DIR),
        validation=ValidationSet.from_captions(captions, seed=0, chunk_size=NUM_PICTURES),
        protocol=protocol,
        latent_shape=LATENT_SHAPE,
    )
    clip = ClipJudge(setting, model=str(OPEN_CLIP_DIR))
    evaluator = Evaluator(setting, score=clip, reference=unet)
    latents = torch.randn(2 * NUM_PICTURES, *LATENT_SHAPE)
    context = parts.embed(captions, size_px=(64, 64)).embeddings.repeat(2, 1, 1)
    pictures = evaluator.pictures(unet, chunk=0)

    @torch.inference_mode()
    def bare_passes() -> None:
        for _ in range(protocol.num_steps):
            unet(latents, 500, encoder_hidden_states=context)

    tasks: dict[str, Callable[[], object]] = {
        "bare UNet passes": bare_passes,
        "whole evaluation": lambda: evaluator.evaluate(unet, chunk=0),
        "decoding": lambda: parts.decode(latents[:NUM_PICTURES]),
        "CLIP": lambda: clip.judge(pictures, chunk=0),
    }
    samples: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(NUM_ROUNDS):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            samples[name].append((time.process_time() - start) * 1000 / NUM_PICTURES)
    print(f"{protocol.num_steps} steps with guidance:")
    for name, values in samples.items():
        print(f"  {name:18} {statistics.median(values[1:]):7.2f} ms of CPU time per picture")
    pairs = zip(samples["whole evaluation"][1:], samples["bare UNet passes"][1:], strict=True)
    print(f"  whole / bare {statistics.median(whole / bare for whole, bare in pairs):.3f}, median of paired rounds")


if __name__ == "__main__":
    main()
