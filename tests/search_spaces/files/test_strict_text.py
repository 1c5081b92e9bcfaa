import codecs
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.files.digests import files_digest, sha256_of
from search_spaces.files.json_lines import has_lines, num_torn_bytes, read_lines
from search_spaces.files.strict_json import read_json
from search_spaces.files.strict_text import TextError, decoded, read_bytes, read_text
from search_spaces.files.strict_yaml import read_yaml
from search_spaces.files.user_error import UserError

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=30)


def digest_of_one(path):
    return files_digest([path], folder=path.parent)


@given(TEXT, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_text_is_read_whatever_mark_it_has(text, encoding):
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize("data", [b"\xff", b"caf\xe9", codecs.BOM_UTF16_LE + b"a", codecs.BOM_UTF8 + b"\xe9"])
def test_what_is_no_text_names_the_file_and_the_remedy(tmp_path, data):
    path = tmp_path / "captions.txt"
    path.write_bytes(data)
    code = "UTF-16, as its first two bytes say" if data.startswith(codecs.BOM_UTF16_LE) else "UTF-8"
    with pytest.raises(TextError, match=rf"{path} must be text in {code}, but is not: .*; save it as UTF-8"):
        read_text(path)


def test_a_longer_file_than_such_files_are_is_refused_unread(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_text("abcdef")
    assert read_text(path, max_bytes=6) == "abcdef"
    with pytest.raises(TextError, match=r"captions.txt must hold at most 5 bytes, but holds 6"):
        read_text(path, max_bytes=5)


@pytest.mark.parametrize(
    "read",
    [read_text, read_bytes, read_json, read_yaml, read_lines, num_torn_bytes, has_lines, sha256_of, digest_of_one],
)
def test_what_is_no_regular_file_is_refused_unopened(tmp_path, read):
    """A pipe without a writer would wait forever, and /dev/zero never ends."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "endless").symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", tmp_path / "endless"):
        with pytest.raises(UserError, match=rf"{path} must be a file, but is a device, a pipe or a socket; save"):
            read(path)
