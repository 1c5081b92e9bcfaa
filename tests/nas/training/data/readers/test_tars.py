"""Tars as others make them: what breaks off is said, whatever stands in a sample beside its picture."""

import re
from pathlib import Path

import pytest

from nas.training.data.readers.example import Damaged, Example
from nas.training.data.readers.tars import TarPictures
from tests.nas.training.data import sets


def read(path: Path) -> list[Example | Damaged]:
    return [each for _, each in TarPictures(files=(path,)).read(0)]


@pytest.mark.parametrize("share", [0.3, 0.5, 0.77])
def test_a_tar_that_ends_early_gives_what_is_whole_and_says_so(tmp_path: Path, share: float) -> None:
    path = sets.write_tar(tmp_path / "0.tar", sets.members(sets.samples(20)))
    whole = read(path)
    data = path.read_bytes()[: int(20 * 4 * 512 * share)]
    path.write_bytes(data)
    *rest, last = read(path)
    assert isinstance(last, Damaged)
    assert last.name == "0.tar"
    assert last.reason.startswith("must be a whole tar, but breaks off at the sample 00")
    assert rest == whole[: len(rest)]
    assert len(rest) >= int(20 * share) - 2, "all that is whole"


@pytest.mark.parametrize("num_bytes", [4 * 512, 8 * 512, 7 * 512])
def test_a_tar_that_ends_between_two_members_is_not_whole_either(tmp_path: Path, num_bytes: int) -> None:
    """`tarfile` itself says nothing then."""
    path = sets.write_tar(tmp_path / "0.tar", sets.members(sets.samples(3)))
    path.write_bytes(path.read_bytes()[:num_bytes])
    assert isinstance(read(path)[-1], Damaged)


def test_what_stands_beside_a_picture_is_left_alone(tmp_path: Path) -> None:
    members = [
        ("__readme", b"about"),
        ("a/0.jpg", sets.png(0)),
        ("a/0.cls", b"7"),
        ("a/0.txt", b"\xef\xbb\xbfa ring\n"),
        ("b/0.JPG", sets.png(1)),
        ("b/0.json", b'{"caption": "a cup", "width": 8}'),
        ("b/0.mask.png", sets.JUNK),
    ]
    first, *examples = read(sets.write_tar(tmp_path / "0.tar", members))
    assert isinstance(first, Damaged), "a picture it is not, and no caption has it"
    assert [(each.name, each.captions) for each in examples if isinstance(each, Example)] == [
        ("0.tar: a/0", ("a ring",)),
        ("0.tar: b/0", ("a cup",)),
    ]


@pytest.mark.parametrize(
    ("members", "law"),
    [
        ([("0.txt", b"a")], "must have a picture"),
        ([("0.png", b"x")], r"must have a caption \(\.txt, .*\), but has \.png"),
        ([("0.png", b"x"), ("0.txt", b"gr\xfcn")], "must be text in UTF-8"),
        ([("0.png", b"x"), ("0.txt", b"nan")], "must have text as `caption`, but has nan"),
        ([("0.png", b"x"), ("0.json", b"[1]")], "must have a JSON object"),
        ([("0.png", b"x"), ("0.json", b'{"title": "a"}')], "must have `caption` or `text`, but has title"),
        ([("0.png", b"x"), ("0.json", b'{"caption": 3}')], "must have a string as `caption`"),
        ([("0.png", b"x"), ("0.txt", b"a" * 2**21)], "must have a caption of at most 1,048,576 bytes"),
    ],
)
def test_a_sample_that_is_none_costs_itself_alone(tmp_path: Path, members: list[tuple[str, bytes]], law: str) -> None:
    good = sets.members(sets.samples(2))
    path = sets.write_tar(tmp_path / "x.tar", [*members, *((f"1{name}", data) for name, data in good)])
    damaged, *rest = read(path)
    assert isinstance(damaged, Damaged)
    assert re.search(law, damaged.reason), damaged.reason
    assert all(isinstance(each, Example) for each in rest)
    assert len(rest) == 2
