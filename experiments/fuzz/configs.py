"""Configs and overrides: experiments as YAML with wrong types, words, depths, tags, encodings and paths.

A config is read, or refused in few words that name its file; an override is refused by its key or its text. What is
read is read the same from what a run would store of it, and some of it is resolved, model folder, table and all.
"""

import random
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from experiments.fuzz.case import Case
from nas.config.experiment import resolve
from nas.config.loading import load_config, stored_config, stored_values
from search_spaces.files.strict_yaml import dumped
from search_spaces.files.user_error import UserError
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR

_MAX_MESSAGE: Final = 20_000  # characters: more is no message
_ROOT: Final = Path(__file__).parents[2]
_CONFIG: Final[dict[str, Any]] = {
    "model": str(PIPELINE_DIR),
    "clip": {"model": str(OPEN_CLIP_DIR)},
    "latency_table": str(_ROOT / "latency" / "tables" / "shapes_cpu_torch_eager.json"),
    "validation": {"captions": str(PIPELINE_DIR.parent / "validation_captions.txt"), "num_prompts": 4, "chunk_size": 2},
    "sampling": {"num_steps": 2, "guidance_scale": 1.0, "scheduler": "DDIMScheduler"},
    "robust_training": {"iterations": 0, "drop_probability": 0.1, "batch_size": 2, "learning_rate": 0.0002},
    "search": {"target_ratio": 0.8, "removals_per_round": 2, "max_copies": 1, "protected": ["resnet[mid,0]"]},
    "racing": {"enabled": True, "min_prompts": 2},
    "execution": {"device": "cpu", "precision": "float32"},
    "workers": {"num_workers": 1, "address": None},
    "score": {"name": "clip", "settings": {}},
    "latency_source": {"name": None, "settings": {}},
    "seed": 0,
}
_ODD: Final[tuple[Any, ...]] = (
    None, True, False, "", " ", "x", "x" * 300, "x" * 5000, "a\nb", "\x1b[31m", "[/x]", "é\u202e", "~", "~nobody/x",
    "../..", "/", "/dev/null", "/dev/full", "/proc/self/mem", "hub:", "hub:a", "hub:../x/y", "sd-1.5",
    "mps", "cuda", "cuda:99", "cuda:-1", [], [[]], {}, [None], {"a": {"b": {"c": 1}}}, ["x"] * 100, -1, 0, 1, 2, 0.5,
    -0.0, 1e300, 1e-300, 2**31, 2**32, 2**63, 2**64, 10**30, 10**400, float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
_TEXTS: Final = (
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
_OVERRIDES: Final = (
    "", "=", "=1", "seed", "seed=", "seed==", ".=1", "a.=1", ".a=1", "a..b=1", "seed.x=1", "search=1", "search={}",
    "search.target_ratio.x=1", "seed=!!bool x", "seed=!!timestamp x", "seed=*z", "seed=&a [*a]", "seed=" + "[" * 3000,
    "seed=" + "9" * 5000, "seed=\"\\0\"", "seed=\x00", "seed=\udc80", "model=\udc80", "model=a\x00b",
    "search.start=" + "x" * 300,
    "search.start=" + "x/" * 3000, "model=" + "x" * 5000, "latency_table=~nobody/x", "execution.device=mps", "a=1",
    "search.nothing=1", "workers=null", "clip=null", "validation=null", "search.protected=5", "x" * 20_000, "seed=1:30",
    "seed=" + "x" * 300_000, "[/x]=1", "\x1b[2J=1", "score.settings={a: {b: [1, 2]}}", "latency_source.name=live",
)  # fmt: skip

_STRAY: Final = (b"\0", b"\xff", b"\t", b"- ", b": ", b"&a ", b"*a", b"!!bool ", b"\r", b"{")


def inputs(seed: int, num: int) -> Iterator[Case]:
    """So many configs and overrides."""
    dice = random.Random(seed)
    for number in range(num):
        kind = dice.choice((_values, _values, _values, _bytes, _texts, _stored, _overrides, _overrides, _pairs))
        name, run = kind(dice)
        yield Case(f"{number} {kind.__name__.strip('_')} {name}", run)


# ------------------------------------------------------------------------------------------------ damages of a config
def _changed(dice: random.Random) -> tuple[str, dict[str, Any]]:
    """A config with one to three odd values, and which."""
    config, done = deepcopy(_CONFIG), []
    for _ in range(dice.choice((1, 1, 2, 3))):
        holder = config
        key = dice.choice(sorted(holder))
        while isinstance(holder[key], dict) and holder[key] and dice.random() < 0.8:
            holder = holder[key]
            key = dice.choice(sorted(holder))
        index = dice.randrange(len(_ODD))
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
                holder[key] = _ODD[index]
                done.append(f"{key} odd {index}")
    return ", ".join(done), config


def _values(dice: random.Random) -> tuple[str, Callable[[], None]]:
    name, config = _changed(dice)
    resolves = dice.random() < 0.005
    return f"{name}{' resolved' * resolves}", partial(_load, _yaml(config), resolves=resolves)


def _bytes(dice: random.Random) -> tuple[str, Callable[[], None]]:
    data = bytearray(_yaml(_CONFIG))
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
    return f"{num} damages {dice.randrange(2**32)}", partial(_load, bytes(data))


def _texts(dice: random.Random) -> tuple[str, Callable[[], None]]:
    index, behind = dice.randrange(len(_TEXTS)), dice.random() < 0.5
    return f"{index}{' behind' * behind}", partial(_load, (_yaml(_CONFIG) if behind else b"") + _TEXTS[index])


def _stored(dice: random.Random) -> tuple[str, Callable[[], None]]:
    name, config = _changed(dice)
    data = _yaml(config) if dice.random() < 0.7 else dice.choice(_TEXTS)
    return f"{name} {len(data)} bytes", partial(_read_stored, data)


def _overrides(dice: random.Random) -> tuple[str, Callable[[], None]]:
    given = [dice.choice(_OVERRIDES) for _ in range(dice.choice((1, 1, 2, 3)))]
    indices = " ".join(str(_OVERRIDES.index(each)) for each in given)
    return indices, partial(_load, _yaml(_CONFIG), overrides=given)


def _pairs(dice: random.Random) -> tuple[str, Callable[[], None]]:
    """A key of the config and an odd value, as somebody types it."""
    section = dice.choice(sorted(_CONFIG))
    values = _CONFIG[section]
    key = f"{section}.{dice.choice(sorted(values))}" if isinstance(values, dict) and values else section
    index = dice.randrange(len(_ODD))
    text = yaml.safe_dump(_ODD[index], default_flow_style=True).removesuffix("...\n").strip()
    return f"{key} odd {index}", partial(_load, _yaml(_CONFIG), overrides=[f"{key}={text}"])


def _yaml(config: dict[str, Any]) -> bytes:
    return yaml.safe_dump(config, sort_keys=False).encode("utf-8", "surrogatepass")


# ------------------------------------------------------------------------------------------------------------- readers
def _load(data: bytes, *, overrides: list[str] | None = None, resolves: bool = False) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "experiment.yaml")
        path.write_bytes(data)
        try:
            config = load_config(path, overrides=overrides or [])
        except (UserError, OSError) as error:
            _check_words(
                error, names=(str(path), *(each.partition("=")[0][:30] for each in overrides or ()), "override")
            )
            raise
        stored = Path(place, "config.yaml")
        stored.write_text(dumped(config.plain()), encoding="utf-8")
        assert stored_values(stored) == config.plain(), "what is stored must be read as it was"
        if resolves:
            resolve(config)


def _read_stored(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "config.yaml")
        path.write_bytes(data)
        try:
            stored_config(path)
        except (UserError, OSError) as error:
            _check_words(error, names=(str(path),))
            raise


def _check_words(error: Exception, *, names: tuple[str, ...]) -> None:
    message = str(error)
    assert len(message) <= _MAX_MESSAGE, f"a message of {len(message):,} characters: {message[:500]}"
    assert any(name and name in message for name in names), f"a message that names no place: {message[:500]}"
