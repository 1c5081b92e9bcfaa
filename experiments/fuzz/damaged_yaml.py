"""What befalls a YAML file that somebody wrote: odd values, other keys, stray bytes, another text altogether."""

import random
import tempfile
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import yaml

from search_spaces.files.user_error import UserError

_MAX_MESSAGE: Final = 20_000  # characters: more is no message
ODD: Final[tuple[Any, ...]] = (
    None, True, False, "", " ", "x", "x" * 300, "x" * 5000, "a\nb", "\x1b[31m", "[/x]", "é\u202e", "~", "~nobody/x",
    "../..", "/", "/dev/null", "/dev/full", "/proc/self/mem", "hub:", "hub:a", "hub:../x/y", "sd-1.5",
    "mps", "cuda", "cuda:99", "cuda:-1", [], [[]], {}, [None], {"a": {"b": {"c": 1}}}, ["x"] * 100, -1, 0, 1, 2, 0.5,
    -0.0, 1e300, 1e-300, 2**31, 2**32, 2**63, 2**64, 10**30, 10**400, float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
TEXTS: Final = (
    b"", b"\n", b"#", b"---\n", b"[1]", b"1", b"null", b"a: [", b"a: {", b"seed: !!bool x", b"seed: !!timestamp x",
    b"seed: !!int x", b"seed: !!python/object:os.system x", b"seed: !x y", b"seed: 2001-99-99", b"seed: " + b"9" * 5000,
    b"seed: &a [*a]", b"a: *nothing", b"? [1, 2]\n: 3", b"<<: {a: 1}", b"\xff\xfe", b"\xff\xfes\x00",
    b"\xef\xbb\xbfseed: 1",
    b"\x00", b"seed: \"\\0\"", b"seed: \"\\udc00\"", b"a: 1\n--- \nb: 2", b"%YAML 9.9\n---\na: 1", b"\tseed: 1", b"@",
    b"[" * 3000, b"{a: " * 3000, b"- " * 3000, b"seed: " + b"[" * 40 + b"]" * 40, b"x" * 100_000, b"\xe9: 1",
    b"seed: >\n  text\n", b"seed: 'it''s", b"seed: 1\nseed: 2", b"search: {}\nsearch: {}", b"!!map {seed: 1}",
    b"a: &a [x,x,x,x,x,x,x,x,x]\n"
    + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(12)),
)  # fmt: skip
_STRAY: Final = (b"\0", b"\xff", b"\t", b"- ", b": ", b"&a ", b"*a", b"!!bool ", b"\r", b"{")


def changed(base: Mapping[str, Any], dice: random.Random, /) -> tuple[str, dict[str, Any]]:
    """A config with one to three odd values, and which."""
    config, done = deepcopy(dict(base)), list[str]()
    for _ in range(dice.choice((1, 1, 2, 3))):
        holder = config
        key = dice.choice(sorted(holder))
        while isinstance(holder[key], dict) and holder[key] and dice.random() < 0.8:
            holder = holder[key]
            key = dice.choice(sorted(holder))
        index = dice.randrange(len(ODD))
        match dice.randrange(8):
            case 0:
                del holder[key]
                done.append(f"without {key}")
                if not holder:
                    break
            case 1:
                holder[f"{key}{dice.choice(('', 's', ' ', '.'))}{dice.randrange(9)}"] = holder[key]
                done.append(f"another {key}")
            case _:
                holder[key] = ODD[index]
                done.append(f"{key} odd {index}")
    return ", ".join(done), config


def stray_bytes(content: bytes, dice: random.Random, /) -> tuple[str, bytes]:
    """A text after so many accidents, and how many."""
    data = bytearray(content)
    num = dice.choice((1, 1, 2, 5, 50))
    for _ in range(num):
        place = dice.randrange(len(data))
        match dice.randrange(4):
            case 0:
                data[place] ^= 1 << dice.randrange(8)
            case 1:
                del data[place : place + dice.randrange(1, 40)]
            case 2:
                data[place:place] = dice.choice(_STRAY)
            case _:
                data[place:place] = bytes(data[place : place + dice.randrange(1, 80)])
        data = data or bytearray(b"x")
    return f"{num} damages {dice.randrange(2**32)}", bytes(data)


def as_yaml(config: Mapping[str, Any], /) -> bytes:
    """A config as a file holds it."""
    return yaml.safe_dump(dict(config), sort_keys=False).encode("utf-8", "surrogatepass")


def read_as_file(data: bytes, read: Callable[[Path], object], /, *, names: tuple[str, ...] = ()) -> None:
    """Read a file with this content.

    Args:
        data: The content.
        read: What reads it.
        names: What an error may name in the place of the file.

    Raises:
        UserError: It is refused, in words that name a place.
        AssertionError: The words are too many, or name none.
    """
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "config.yaml")
        path.write_bytes(data)
        try:
            read(path)
        except (UserError, OSError) as error:
            check_words(error, names=(str(path), *names))
            raise


def check_words(error: Exception, /, *, names: tuple[str, ...]) -> None:
    """Check that an error is short and names a place.

    Raises:
        AssertionError: It is not.
    """
    message = str(error)
    assert len(message) <= _MAX_MESSAGE, f"a message of {len(message):,} characters: {message[:500]}"
    assert any(name and name in message for name in names), f"a message that names no place: {message[:500]}"
