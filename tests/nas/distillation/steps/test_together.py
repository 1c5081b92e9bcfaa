"""Several processes distil what one does, but for the order of sums."""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

import nas
from nas.launching.news import News
from nas.training.loop import StepDone
from tests import warm  # noqa: F401  processes begin warm

TOLERANCE = 1e-5  # of weights: the same as of trainings that are no distillations


def distilled(config: Path, out: Path, *overrides: str) -> tuple[dict[str, Tensor], list[float]]:
    """The student's weights, and the loss of every step."""
    heard = list[News]()
    done = nas.distill_steps(config, out=out, overrides=overrides, on_news=heard.append)
    weights = load_file(done.folder / "unet" / "diffusion_pytorch_model.safetensors")
    return weights, [each.loss for each in heard if isinstance(each, StepDone)]


def test_two_processes_do_what_one_does_in_two_parts(config: Path, tmp_path: Path) -> None:
    together, told = distilled(config, tmp_path / "together", "training.workers.num_workers=2")
    parts, losses = distilled(config, tmp_path / "parts", "training.gradient_accumulation=2")
    np.testing.assert_allclose(told, losses, rtol=1e-5)
    assert len(losses) == 4
    for name, tensor in together.items():
        torch.testing.assert_close(tensor, parts[name], rtol=0, atol=TOLERANCE)
