"""Writes a folder of captioned pictures of shapes, for robust training: `python -m search_spaces.shapes FOLDER`."""

import argparse
import json
import re
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from search_spaces.files.durable.places import PlaceError, sweep_beside
from search_spaces.files.durable.writing import whole
from search_spaces.shapes.renderer import render
from search_spaces.shapes.scenes import caption_of, is_held_out, sample_scene

_METADATA: Final = "metadata.jsonl"
_OWN: Final = re.compile(rf"\d{{5,}}\.png|{re.escape(_METADATA)}")


def write_pictures(folder: Path, /, *, num: int, seed: int) -> None:
    """Write `num` pictures of captions that are not held out, and their `metadata.jsonl`, whole or not at all.

    Args:
        folder: Where; may hold pictures that this wrote before, which are replaced.
        num: How many.
        seed: Of scenes and renderer.

    Raises:
        PlaceError: Something else stands there; it was not touched.
        StorageError: The disk refuses; nothing was changed.
    """
    sweep_beside(folder)
    rng = np.random.default_rng(seed)
    lines: list[str] = []
    with whole(folder, check=_check_own) as part:
        part.mkdir()
        while len(lines) < num:
            scene = sample_scene(rng)
            if is_held_out(caption_of(scene)):
                continue
            name = f"{len(lines):05d}.png"
            Image.fromarray(render(scene, rng=rng)).save(part / name)
            lines.append(json.dumps({"file_name": name, "text": caption_of(scene)}))
        (part / _METADATA).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _check_own(folder: Path) -> None:
    """Check that a folder holds nothing but what `write_pictures` wrote."""
    names = {path.name for path in folder.iterdir()}
    if foreign := sorted(name for name in names if not _OWN.fullmatch(name)):
        raise PlaceError(
            f"{folder} must hold nothing but this command's pictures, but holds {foreign[0]}; give another"
        )
    if _METADATA not in names:
        raise PlaceError(f"{folder} holds pictures without {_METADATA}, which this command did not write; give another")


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
