"""Damaged pictures, metadata and captions: each is read, or refused with a user's error that names its file.

    from experiments.fuzz.pictures import inputs
    for case in inputs(seed=0, num=5000):
        case.run()

The files are mutations of sound ones: bytes flipped, cut, doubled, joined; JSON values replaced by others; names that
lead elsewhere. A case cleans up after itself.
"""

import csv
import functools
import io
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from experiments.fuzz.case import Case
from nas.scores.captions import read_captions
from nas.training.data.checking import check_pictures
from nas.training.data.picture_files import read_picture
from nas.training.data.readers.metadata import read_folder, read_metadata
from search_spaces.files.user_error import UserError

_CAPTIONS: Final = ["a red ring", 'a "blue" cross, large', "ein grüner Stern", "#tag", "日本\u2028語", "{a} [b]"]
_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, 0, -1, 10**40, 1e308, float("nan"), float("inf"), "", " ", "\x00", "\ud800", "a" * 5000),
    *([], {}, ["a"], {"en": "a"}, [[[[]]]], "../0.png", "/etc/hostname", "..\\0.png", "~/0.png", ".", "..", "sub"),
    *("0.png\x00", "CON", "0.png/", "//0.png", "a" * 300 + ".png", "C:\\0.png", "metadata.jsonl", "loop/0.png"),
)
_TOKENS: Final = (
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\r",
    b"\n",
    b'"',
    b"{",
    b"[" * 3000,
    b"\\ud800",
    b",",
    b"#",
)
_SUFFIXES: Final = ("", ".txt", ".csv", ".tsv", ".json", ".jsonl", ".CSV", ".yaml")
_ENCODINGS: Final = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "utf-32")
_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F", "I")
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "EPS", "ICO", "PPM", "TGA", "PCX", "PDF")


def inputs(seed: int, num: int) -> Iterator[Case]:
    """So many cases, the same for the same seed.

    Args:
        seed: Of the damage.
        num: How many.
    """
    makers: tuple[Callable[[np.random.Generator], Case], ...] = (_picture, _metadata, _captions)
    for index in range(num):
        case = makers[index % len(makers)](np.random.default_rng([seed, index]))
        yield replace(case, name=f"{index}: {case.name}")


def _picture(rng: np.random.Generator) -> Case:
    form, mode = str(rng.choice(_FORMATS)), str(rng.choice(_MODES))
    data = _damaged(_encoded(form, mode, rng), rng)
    return Case(f"picture {form} {mode} of {len(data)} bytes", functools.partial(_read_picture, data))


def _read_picture(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0.png"
        path.write_bytes(data)
        (path.parent / "metadata.jsonl").write_text('{"file_name": "0.png", "text": "a"}')
        pictures = read_folder(path.parent)
        _named(path, lambda: check_pictures(pictures, max_corrupt_share=0.0))
        assert read_picture(path, size_px=(8, 16)).pixels.shape == (8, 16, 3)


def _encoded(form: str, mode: str, rng: np.random.Generator) -> bytes:
    """A picture of some mode, in some format that takes it."""
    height, width = (int(side) for side in rng.integers(1, 24, size=2))
    shape = (height, width, {"LA": 2, "RGB": 3, "YCbCr": 3, "RGBA": 4, "CMYK": 4}.get(mode, 1))
    if mode in ("I;16", "F", "I"):
        kinds: Mapping[str, type[Any]] = {"I;16": np.uint16, "F": np.float32, "I": np.int32}
        image = Image.fromarray(rng.integers(0, 2**16, size=shape[:2]).astype(kinds[mode]))
    else:
        pixels = rng.integers(0, 256, size=shape, dtype=np.uint8)
        image = (
            Image.frombytes(mode, (width, height), pixels.tobytes()) if mode != "1" else Image.new("1", (width, height))
        )
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = int(rng.integers(1, 9))
    try:
        image.save(buffer, form, exif=exif)
    except (OSError, ValueError, KeyError, RuntimeError):  # a format that lacks the mode
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, form if form != "WEBP" else "PNG")
    return buffer.getvalue()


def _metadata(rng: np.random.Generator) -> Case:
    rows: list[dict[str, Any]] = [
        {"file_name": str(rng.choice(["0.png", "sub/1.png"])), "text": str(rng.choice(_CAPTIONS))} for _ in range(4)
    ]
    for _ in range(rng.integers(0, 4)):
        row = rows[rng.integers(len(rows))]
        key = str(rng.choice([*row, "caption", "text", "file_name", "additional"]))
        if rng.random() < 0.3:
            row.pop(key, None)
        else:
            row[key] = _VALUES[rng.integers(len(_VALUES))]
    name = str(rng.choice(["metadata.jsonl", "metadata.csv"]))
    data = _bytes_of(_as_lines(rows) if name.endswith("l") else _as_table(rows, ","), rng)
    return Case(f"{name} of {len(data)} bytes", functools.partial(_read_metadata, name, data))


def _read_metadata(name: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as outside:
        folder = Path(outside) / "set"
        (folder / "sub").mkdir(parents=True)
        for picture in (Path(outside) / "0.png", folder / "0.png", folder / "sub" / "1.png"):
            Image.new("RGB", (2, 2)).save(picture)
        (folder / "loop").symlink_to(folder)
        (folder / name).write_bytes(data)
        for picture in _named(folder / name, lambda: list(read_metadata(folder))):
            assert (folder / picture.name).resolve().is_relative_to(folder.resolve()), picture
            assert picture.caption.encode() is not None


def _captions(rng: np.random.Generator) -> Case:
    suffix = str(rng.choice(_SUFFIXES))
    rows: list[dict[str, Any]] = [{"caption": str(rng.choice(_CAPTIONS)), "id": index} for index in range(4)]
    if rng.random() < 0.5:
        rows[rng.integers(4)][str(rng.choice(["caption", "text", "id"]))] = _VALUES[rng.integers(len(_VALUES))]
    plain = [row["caption"] for row in rows]
    shapes: list[Callable[[], str]] = [
        lambda: "\n".join(map(str, plain)),
        lambda: _as_lines(rows),
        lambda: _as_table(rows, ","),
        lambda: _as_table(rows, "\t"),
        lambda: json.dumps({"images": [], "annotations": rows}, indent=int(rng.integers(3)) or None),
        lambda: json.dumps(plain),
        lambda: json.dumps(rows),
        lambda: json.dumps({str(index): caption for index, caption in enumerate(plain)}),
    ]
    data = _bytes_of(shapes[rng.integers(len(shapes))](), rng)
    num = int(rng.integers(1, 6)) if rng.random() < 0.5 else None
    return Case(f"captions{suffix} of {len(data)} bytes", functools.partial(_read_captions, suffix, data, num))


def _read_captions(suffix: str, data: bytes, num: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"captions{suffix}"
        path.write_bytes(data)
        captions = _named(path, lambda: read_captions(path, num=num))
        assert captions
        assert all(caption and caption == caption.strip() and caption.encode() for caption in captions)


def _named(path: Path, read: Callable[[], Any]) -> Any:
    """What a reader gives; an error of its must name the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read()
        except UserError as error:
            if path.name not in str(error):
                raise AssertionError(f"{error} does not name {path}") from error
            raise


def _as_lines(rows: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(row) for row in rows)


def _as_table(rows: list[dict[str, Any]], delimiter: str) -> str:
    buffer = io.StringIO()
    keys = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.writer(buffer, delimiter=delimiter)
    writer.writerow(keys)
    writer.writerows([str(row.get(key, "")) for key in keys] for row in rows)
    return buffer.getvalue()


def _bytes_of(text: str, rng: np.random.Generator) -> bytes:
    return _damaged(text.encode(str(rng.choice(_ENCODINGS)), errors="replace"), rng)


def _damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes after a few accidents; one time in four none."""
    for _ in range(rng.choice([0, 1, 1, 3])):
        place = int(rng.integers(len(data) + 1))
        match rng.integers(6):
            case 0:
                data = data[:place]
            case 1 if place < len(data):
                data = data[:place] + bytes([data[place] ^ 1 << int(rng.integers(8))]) + data[place + 1 :]
            case 2:
                data = data[:place] + _TOKENS[rng.integers(len(_TOKENS))] + data[place:]
            case 3:
                data += data[place:]
            case 4:
                data = data[:place] + data[place + int(rng.integers(1, 40)) :]
            case _:
                data = data[:place] + rng.bytes(int(rng.integers(1, 9))) + data[place:]
    return data
