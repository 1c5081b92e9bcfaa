"""A font's colour emoji as a folder of captioned pictures, for training on what nobody here drew.

    python -m experiments.emoji --out FOLDER [--size 64] [--num 500] [--font PATH]

The font is Debian's fonts-noto-color-emoji unless another is given; its licence (SIL Open Font License 1.1) is written
beside the pictures, none of which is part of this repository. Captions are the names that Unicode gives the characters,
as far as this Python's `unicodedata` knows them.
"""

import json
import unicodedata
from pathlib import Path
from typing import Annotated

import typer

from experiments.command import run
from experiments.emoji.font import FONT, read_font
from experiments.emoji.names import caption_of
from search_spaces.files.durable.writing import whole


def main(
    out: Annotated[Path, typer.Option(help="folder for pictures and metadata.jsonl; must not exist yet or be empty")],
    size: Annotated[int, typer.Option(min=8, max=1024, help="pixels of a side; the font has 128")] = 64,
    num: Annotated[int | None, typer.Option(min=1, help="at most so many, the shortest sequences first")] = None,
    font: Annotated[Path, typer.Option(help="a font with bitmaps in colour")] = FONT,
) -> None:
    """Write a font's colour emoji with the names that Unicode gives them."""
    num_written, num_unnamed = write_emoji(out, size_px=size, font=font, num=num)
    print(f"{num_written:,} pictures of {size}x{size} in {out}, with the font's licence in LICENSE.txt")
    if num_unnamed:
        print(f"{num_unnamed:,} others have no name in Unicode {unicodedata.unidata_version}, which this Python knows")


def write_emoji(out: Path, /, *, size_px: int, font: Path = FONT, num: int | None = None) -> tuple[int, int]:
    """Write the folder, whole or not at all.

    Returns:
        Pictures written, and those left out that have no name.

    Raises:
        UserError: No such font, or something stands at the place.
        StorageError: The disk refuses.
    """
    found, rows, num_unnamed = read_font(font), list[dict[str, str]](), 0
    with whole(out) as part:
        part.mkdir()
        for emoji in found.emoji[:num]:
            caption = caption_of(emoji.characters)
            if caption is None:
                num_unnamed += 1
                continue
            name = f"{emoji.name}.png"
            emoji.on_white(size_px).save(part / name)
            rows.append({"file_name": name, "text": caption})
        lines = [json.dumps(row) for row in rows]
        (part / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        legal = "\n\n".join(text for text in found.legal.values() if text)
        (part / "LICENSE.txt").write_text(f"{legal}\n", encoding="utf-8")
    return len(rows), num_unnamed


if __name__ == "__main__":
    run(main)
