"""The captions that searches of the bundled model are judged on: held out, distinct, in random order.

python -m experiments.shapes.captions --out search_spaces/shapes/validation_captions.txt
"""

import argparse
from pathlib import Path

import numpy as np

from experiments.shapes.rendered import held_out_scenes
from search_spaces.shapes.scenes import caption_of

SEED = 21  # of these scenes; those of `gates` have another


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--num", type=int, default=512)
    args = parser.parse_args()
    scenes = held_out_scenes(np.random.default_rng(SEED), args.num)
    args.out.write_text("".join(f"{caption_of(scene)}\n" for scene in scenes), encoding="utf-8")


if __name__ == "__main__":
    main()
