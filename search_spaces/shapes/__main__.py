"""Writes a folder of captioned pictures of shapes, for robust training: `python -m search_spaces.shapes FOLDER`."""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

from search_spaces.shapes.renderer import render
from search_spaces.shapes.scenes import caption_of, is_held_out, sample_scene


def write_pictures(folder: Path, /, *, num: int, seed: int) -> None:
    """Write `num` pictures of captions that are not held out, and their `metadata.jsonl`, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    lines: list[str] = []
    while len(lines) < num:
        scene = sample_scene(rng)
        if is_held_out(caption_of(scene)):
            continue
        name = f"{len(lines):05d}.png"
        Image.fromarray(render(scene, rng=rng)).save(folder / name)
        lines.append(json.dumps({"file_name": name, "text": caption_of(scene)}))
    part = folder / "metadata.jsonl.part"
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(folder / "metadata.jsonl")


def main() -> None:
    """Read the command line and write the folder."""
    parser = argparse.ArgumentParser(prog="python -m search_spaces.shapes", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder to write into")
    parser.add_argument("--num", type=int, default=1024, help="number of pictures (default 1024)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    write_pictures(args.folder, num=args.num, seed=args.seed)
    print(f"{args.num} captioned pictures -> {args.folder}")


if __name__ == "__main__":
    main()
