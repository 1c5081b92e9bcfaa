"""Real pictures for evaluations of the bundled model: a folder of scenes whose captions no training has seen.

    python -m experiments.shapes.real_pictures runs/shapes/real --num 1024

Captions are drawn as those of `validation_captions.txt` are, each once, so that distances compare like with like.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from experiments.shapes.rendered import held_out_scenes
from search_spaces.files.durable.writing import whole
from search_spaces.shapes.renderer import render
from search_spaces.shapes.scenes import caption_of


def write_real_pictures(folder: Path, /, *, num: int, seed: int = 0) -> None:
    """Write pictures with their metadata.jsonl, whole or not at all."""
    rng = np.random.default_rng(seed)
    with whole(folder) as part:
        part.mkdir()
        lines = []
        for index, scene in enumerate(held_out_scenes(rng, num)):
            name = f"{index:05d}.png"
            Image.fromarray(render(scene, rng=rng)).save(part / name)
            lines.append(json.dumps({"file_name": name, "text": caption_of(scene)}))
        (part / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--num", type=int, default=1024)
    args = parser.parse_args()
    write_real_pictures(args.folder, num=args.num)


if __name__ == "__main__":
    main()
