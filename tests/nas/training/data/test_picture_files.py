"""Image files in every mode that people save: what is read is what a viewer shows, or an error with its line."""

import io
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from nas.training.data import picture_files
from nas.training.data.picture_files import CroppedPicture, FilePart, PictureError, read_picture, read_pictures


def pixels(path: Path, *, size_px: tuple[int, int]) -> np.ndarray[Any, Any]:
    return read_picture(path, size_px=size_px).pixels


def saved(image: Image.Image, path: Path, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_upright(tmp_path: Path, orientation: int) -> None:
    """A camera stores what its sensor sees and says how it was held."""
    shown = np.zeros((6, 8, 3), dtype=np.uint8)
    shown[:3, :4], shown[3:, :4], shown[:3, 4:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    undo: dict[int, Callable[[Any], Any]] = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: np.rot90,
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(Image.fromarray(np.ascontiguousarray(undo[orientation](shown))), tmp_path / "a.png", exif=exif)
    assert np.array_equal(pixels(path, size_px=(6, 8)), shown)


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    path = saved(Image.fromarray(ramp), tmp_path / "ramp.png")
    read = pixels(path, size_px=(16, 16))
    assert np.array_equal(read[..., 0].ravel(), np.arange(256))
    assert (read == read[..., :1]).all()


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    rgba = np.zeros((1, 3, 4), dtype=np.uint8)
    rgba[0, 0], rgba[0, 1], rgba[0, 2] = (9, 8, 7, 0), (0, 0, 0, 127), (10, 20, 30, 255)
    image = Image.fromarray(rgba)
    expected = [[255, 255, 255], [128, 128, 128], [10, 20, 30]]
    assert pixels(saved(image, tmp_path / "a.png"), size_px=(1, 3))[0].tolist() == expected
    grey = saved(image.convert("LA"), tmp_path / "grey.png")
    assert pixels(grey, size_px=(1, 3))[0, :2].tolist() == expected[:2]
    webp = saved(image, tmp_path / "a.webp", lossless=True, exact=True)
    assert pixels(webp, size_px=(1, 3))[0].tolist() == expected


def test_a_transparent_colour_of_a_palette_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putdata([0, 1])
    for name in ("a.png", "a.gif"):
        read = pixels(saved(image, tmp_path / name, transparency=0), size_px=(1, 2))
        assert read[0].tolist() == [[255, 255, 255], [0, 255, 0]]


@pytest.mark.parametrize("mode", ["L", "P", "1", "RGB", "CMYK", "YCbCr"])
def test_other_modes_keep_their_colours(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGB", (16, 16), "white")
    path = saved(image.convert(mode), tmp_path / ("a.jpg" if mode in ("CMYK", "YCbCr") else "a.png"))
    assert pixels(path, size_px=(16, 16)).min() >= 254


def test_a_profile_of_colours_does_not_matter(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(Image.new("RGB", (2, 2), (10, 20, 30)), tmp_path / "a.png", icc_profile=profile)
    assert pixels(path, size_px=(2, 2))[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("on_disk", "wanted", "top_left"),
    [
        ((8, 8), (8, 8), (0, 0)),
        ((16, 16), (8, 8), (0, 0)),
        ((16, 24), (8, 8), (0, 2)),
        ((24, 16), (8, 8), (2, 0)),
        ((3, 5), (8, 8), (0, 2)),
        ((8, 8), (8, 16), (4, 0)),
        ((1, 1000), (8, 8), (0, 3996)),
    ],
)
def test_the_short_side_is_resized_and_the_middle_cut_out(
    tmp_path: Path, on_disk: tuple[int, int], wanted: tuple[int, int], top_left: tuple[int, int]
) -> None:
    path = saved(Image.new("RGB", on_disk[::-1], "red"), tmp_path / "a.png")
    read = read_picture(path, size_px=wanted)
    assert read.pixels.shape == (*wanted, 3)
    assert read.top_left_px == top_left


def damaged(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / f"{kind}.png"
    buffer = io.BytesIO()
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    match kind:
        case "cut":
            noise.save(buffer, "PNG")
            path.write_bytes(buffer.getvalue()[:2000])
        case "cut_jpeg":
            noise.save(buffer, "JPEG")
            path.write_bytes(buffer.getvalue()[:2000])
        case "empty":
            path.write_bytes(b"")
        case "html":
            path.write_bytes(b"<!doctype html><title>404</title>")
        case "eps":
            path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
        case "bomb":
            Image.new("1", (14000, 14000)).save(path)
        case "float":
            path = path.with_suffix(".tiff")
            Image.new("F", (4, 4)).save(path)
    return path


KINDS = {
    "cut": "must be a whole picture in PNG, .* but cannot be read",
    "cut_jpeg": "must be a whole picture in PNG, .* but cannot be read",
    "empty": "must be a whole picture in PNG, .* but cannot be read",
    "html": "must be a whole picture in PNG, .* but cannot be read",
    "eps": "must be a whole picture in PNG, .* but cannot be read",  # nothing looks for Ghostscript
    "bomb": "must have at most 134,217,728 pixels",
    "float": "must have 8 or 16 bits a channel",
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_picture_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(PictureError, match=KINDS[kind]) as refusal:
        read_picture(damaged(tmp_path, kind), size_px=(8, 8))
    assert "Ghostscript" not in str(refusal.value)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path: Path, *, bits: int, colour: int, row: bytes, width: int, transparent: bytes) -> Path:
    """A PNG of one row, since Pillow writes no transparent colour of these."""
    header = struct.pack(">IIBBBBB", width, 1, bits, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"tRNS", transparent), (b"IDAT", zlib.compress(b"\0" + row)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in chunks))
    return path


@pytest.mark.parametrize(
    ("bits", "row", "transparent", "expected"),
    [
        (1, b"\x40", 1, [0, 255]),
        (2, b"\x60", 1, [255, 170]),
        (4, b"\x5a", 5, [255, 170]),
        (8, b"\x05\x0a", 5, [255, 10]),
        (16, b"\x12\x34\x12\x35", 0x1234, [255, 18]),
    ],
)
def test_a_transparent_grey_of_any_bits_is_white(
    tmp_path: Path, bits: int, row: bytes, transparent: int, expected: list[int]
) -> None:
    path = png(tmp_path / "a.png", bits=bits, colour=0, row=row, width=2, transparent=struct.pack(">H", transparent))
    assert pixels(path, size_px=(1, 2))[0].tolist() == [[grey] * 3 for grey in expected]


def test_a_transparent_colour_of_sixteen_bits_is_refused(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", bits=16, colour=2, row=b"\x12\x34" * 6, width=2, transparent=b"\x12\x34" * 3)
    with pytest.raises(
        PictureError, match="must have 8 bits a channel where one colour is transparent, but has 16; save"
    ):
        read_picture(path, size_px=(1, 2))


@pytest.mark.parametrize(
    ("bits", "photometric", "data", "expected"),
    [
        (16, 1, b"\0\0\xff\xff", [0, 255]),
        (16, 0, b"\0\0\xff\xff", [255, 0]),
        (12, 1, b"\x80\x0f\xff", [128, 255]),
    ],
)
def test_grey_of_a_tiff_is_what_its_tags_say(
    tmp_path: Path, bits: int, photometric: int, data: bytes, expected: list[int]
) -> None:
    tags = {256: 2, 257: 1, 258: bits, 259: 1, 262: photometric, 273: 8, 277: 1, 278: 1, 279: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4 if tag == 273 else 3, 1, value) for tag, value in tags.items())
    offset = 8 + len(data) + len(data) % 2
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path = tmp_path / "a.tiff"
    path.write_bytes(b"II*\0" + struct.pack("<I", offset) + data.ljust(offset - 8, b"\0") + directory)
    assert pixels(path, size_px=(1, 2))[0].tolist() == [[grey] * 3 for grey in expected]


@pytest.mark.parametrize("size", [(4, 600), (600, 4)])
def test_of_a_thin_picture_the_middle_alone_is_resized(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = np.linspace(0, 255, 600).round().astype(np.uint8)[:, None].repeat(4, axis=1)
    image = Image.fromarray(ramp if size == (4, 600) else np.ascontiguousarray(ramp.T))
    path = saved(image.convert("RGB"), tmp_path / "a.png")
    whole = read_picture(path, size_px=(16, 16))
    monkeypatch.setattr(picture_files, "MAX_PX", 2400)  # of 16x2400
    made = list[tuple[int, int]]()
    resize = Image.Image.resize

    def noted(self: Image.Image, to: tuple[int, int], *args: Any, **options: Any) -> Image.Image:
        made.append(to)
        return resize(self, to, *args, **options)

    monkeypatch.setattr(Image.Image, "resize", noted)
    thin = read_picture(path, size_px=(16, 16))
    assert made == [(16, 16)]
    assert thin.top_left_px == whole.top_left_px
    assert np.abs(thin.pixels.astype(int) - whole.pixels).max() <= 1


def test_of_an_animation_the_first_picture_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "lime")]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=10)
    assert pixels(path, size_px=(1, 1)).tolist() == [[[255, 0, 0]]]


def test_a_picture_is_the_same_wherever_its_bytes_are(tmp_path: Path) -> None:
    path = saved(Image.effect_noise((9, 5), 80).convert("RGB"), tmp_path / "a.png")
    data = path.read_bytes()
    (tmp_path / "many.bin").write_bytes(b"before" + data + b"behind")
    part = FilePart(tmp_path / "many.bin", start=6, num_bytes=len(data))
    for place in (data, part):
        assert np.array_equal(read_picture(place, size_px=(5, 5)).pixels, pixels(path, size_px=(5, 5)))
    with pytest.raises(PictureError, match=r"cannot be read \(UnidentifiedImageError: cannot identify image file the"):
        read_picture(data[1:], size_px=(5, 5))
    with pytest.raises(PictureError, match="must have at most 536,870,912 bytes"):
        read_picture(FilePart(path, start=0, num_bytes=2**30), size_px=(5, 5))


@pytest.mark.parametrize(("place", "corner"), [((0.0, 0.0), (0, 0)), ((0.5, 0.5), (6, 0)), ((0.99, 0.2), (11, 0))])
def test_a_cut_is_where_it_is_asked_for(tmp_path: Path, place: tuple[float, float], corner: tuple[int, int]) -> None:
    ramp = np.arange(16, dtype=np.uint8)[:, None].repeat(4, axis=1)
    path = saved(Image.fromarray(ramp), tmp_path / "a.png")
    cut = read_picture(path, size_px=(4, 4), place=place)
    assert cut.top_left_px == corner
    assert cut.pixels[:, 0, 0].tolist() == list(range(corner[0], corner[0] + 4))


def test_many_pictures_are_read_beside_each_other_and_damage_stands_in_its_place(tmp_path: Path) -> None:
    paths = [saved(Image.new("L", (2, 2), grey), tmp_path / f"{grey}.png") for grey in range(8)]
    paths[3].write_bytes(b"junk")
    with ThreadPoolExecutor(4) as threads:
        found = read_pictures(paths, size_px=(1, 1), threads=threads)
    assert isinstance(found.pop(3), PictureError)
    assert [int(each.pixels[0, 0, 0]) for each in found if isinstance(each, CroppedPicture)] == [0, 1, 2, 4, 5, 6, 7]
