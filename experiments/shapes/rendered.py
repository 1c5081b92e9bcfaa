"""Rendered scenes on disk, drawn once and read by every training of the bundled model.

    python -m experiments.shapes.rendered --out runs/shapes/pictures.npy --num 81920

Scenes come in pairs, every second one a near miss of the one before. Captions of the held-out tenth are left out.
Cost: about 3 ms of one core a picture; every core draws.
"""

import argparse
import multiprocessing
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track

from search_spaces.shapes.renderer import PICTURE_PX, render
from search_spaces.shapes.scenes import Scene, caption_of, is_held_out, near_miss, sample_scene

PORTION = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Pictures uint8 (n, h, w, 3), mapped from disk, and their captions."""

    pictures: npt.NDArray[np.uint8]
    captions: list[str]

    def on(self, device: str) -> "Shown":
        """All of them on a device."""
        return Shown(pictures=torch.from_numpy(np.asarray(self.pictures)).to(device))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Pictures uint8 (n, h, w, 3) on a device."""

    pictures: torch.Tensor

    def batch(self, rows: torch.Tensor) -> torch.Tensor:
        """Some of them as float32 (len(rows), 3, h, w) in [-1, 1]."""
        return self.pictures[rows].permute(0, 3, 1, 2).float() / 127.5 - 1


def as_tensor(pictures: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Pictures as float32 (n, 3, h, w) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_scenes(rng: np.random.Generator, num: int) -> list[Scene]:
    """Scenes of captions that are not held out, every second one a near miss of the one before."""
    scenes: list[Scene] = []
    while len(scenes) < num:
        scene = sample_scene(rng) if len(scenes) % 2 == 0 else near_miss(scenes[-1], rng)
        if not is_held_out(caption_of(scene)):
            scenes.append(scene)
    return scenes


def held_out_scenes(rng: np.random.Generator, num: int) -> list[Scene]:
    """Scenes of distinct held-out captions."""
    scenes: dict[str, Scene] = {}
    while len(scenes) < num:
        scene = sample_scene(rng)
        if is_held_out(caption_of(scene)):
            scenes.setdefault(caption_of(scene), scene)
    return list(scenes.values())


def pictures(scenes: list[Scene], rng: np.random.Generator) -> torch.Tensor:
    """Rendered scenes as float32 (n, 3, h, w) in [-1, 1]."""
    return as_tensor(np.stack([render(scene, rng=rng) for scene in scenes]))


def rendered(path: Path, *, num: int, seed: int = 5) -> Rendered:
    """The first `num` scenes of a seed; drawn where the file is not there yet, by one process a core."""
    portions = range(num // PORTION)
    lines = path.with_suffix(".txt")
    if not path.exists():
        captions = [caption_of(scene) for portion in portions for scene in _portion(seed, portion)]
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npy")
        shape = (len(captions), PICTURE_PX, PICTURE_PX, 3)
        array = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        with multiprocessing.Pool() as pool:
            drawn = pool.imap(partial(_draw, seed), portions)
            for portion, pictures in enumerate(track(drawn, total=len(portions), description="drawing")):
                array[portion * PORTION : (portion + 1) * PORTION] = pictures
        array.flush()
        lines.write_text("\n".join(captions) + "\n", encoding="utf-8")
        os.replace(part, path)
    return Rendered(pictures=np.load(path, mmap_mode="r"), captions=lines.read_text(encoding="utf-8").splitlines())


def _portion(seed: int, portion: int) -> list[Scene]:
    return train_scenes(np.random.default_rng([seed, portion]), PORTION)


def _draw(seed: int, portion: int) -> npt.NDArray[np.uint8]:
    rng = np.random.default_rng([seed, portion, 1])
    return np.stack([render(scene, rng=rng) for scene in _portion(seed, portion)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--num", type=int, default=81920)
    args = parser.parse_args()
    rendered(args.out, num=args.num)


if __name__ == "__main__":
    main()
