"""Configs and overrides: experiments as YAML with wrong types, words, depths, tags, encodings and paths.

A config is read, or refused in few words that name its file; an override is refused by its key or its text. What is
read is read the same from what a run would store of it, and some of it is resolved, model folder, table and all.
"""

import random
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from experiments.fuzz.case import Case
from experiments.fuzz.damaged_yaml import ODD, TEXTS, as_yaml, changed, check_words, read_as_file, stray_bytes
from nas.config.loading import load_config, stored_config, stored_values
from nas.config.resolving import resolve
from search_spaces.files.strict_yaml import dumped
from search_spaces.files.user_error import UserError
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR

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
_OVERRIDES: Final = (
    "", "=", "=1", "seed", "seed=", "seed==", ".=1", "a.=1", ".a=1", "a..b=1", "seed.x=1", "search=1", "search={}",
    "search.target_ratio.x=1", "seed=!!bool x", "seed=!!timestamp x", "seed=*z", "seed=&a [*a]", "seed=" + "[" * 3000,
    "seed=" + "9" * 5000, "seed=\"\\0\"", "seed=\x00", "seed=\udc80", "model=\udc80", "model=a\x00b",
    "search.start=" + "x" * 300,
    "search.start=" + "x/" * 3000, "model=" + "x" * 5000, "latency_table=~nobody/x", "execution.device=mps", "a=1",
    "search.nothing=1", "workers=null", "clip=null", "validation=null", "search.protected=5", "x" * 20_000, "seed=1:30",
    "seed=" + "x" * 300_000, "[/x]=1", "\x1b[2J=1", "score.settings={a: {b: [1, 2]}}", "latency_source.name=live",
)  # fmt: skip


def inputs(seed: int, num: int) -> Iterator[Case]:
    """So many configs and overrides."""
    dice = random.Random(seed)
    for number in range(num):
        kind = dice.choice((_values, _values, _values, _bytes, _texts, _stored, _overrides, _overrides, _pairs))
        name, run = kind(dice)
        yield Case(f"{number} {kind.__name__.strip('_')} {name}", run)


# ------------------------------------------------------------------------------------------------------------- damages
def _values(dice: random.Random) -> tuple[str, Callable[[], None]]:
    name, config = changed(_CONFIG, dice)
    resolves = dice.random() < 0.005
    return f"{name}{' resolved' * resolves}", partial(_load, as_yaml(config), resolves=resolves)


def _bytes(dice: random.Random) -> tuple[str, Callable[[], None]]:
    name, data = stray_bytes(as_yaml(_CONFIG), dice)
    return name, partial(_load, data)


def _texts(dice: random.Random) -> tuple[str, Callable[[], None]]:
    index, behind = dice.randrange(len(TEXTS)), dice.random() < 0.5
    return f"{index}{' behind' * behind}", partial(_load, (as_yaml(_CONFIG) if behind else b"") + TEXTS[index])


def _stored(dice: random.Random) -> tuple[str, Callable[[], None]]:
    name, config = changed(_CONFIG, dice)
    data = as_yaml(config) if dice.random() < 0.7 else dice.choice(TEXTS)
    return f"{name} {len(data)} bytes", partial(read_as_file, data, stored_config)


def _overrides(dice: random.Random) -> tuple[str, Callable[[], None]]:
    given = [dice.choice(_OVERRIDES) for _ in range(dice.choice((1, 1, 2, 3)))]
    indices = " ".join(str(_OVERRIDES.index(each)) for each in given)
    return indices, partial(_load, as_yaml(_CONFIG), overrides=given)


def _pairs(dice: random.Random) -> tuple[str, Callable[[], None]]:
    """A key of the config and an odd value, as somebody types it."""
    section = dice.choice(sorted(_CONFIG))
    values = _CONFIG[section]
    key = f"{section}.{dice.choice(sorted(values))}" if isinstance(values, dict) and values else section
    index = dice.randrange(len(ODD))
    text = yaml.safe_dump(ODD[index], default_flow_style=True).removesuffix("...\n").strip()
    return f"{key} odd {index}", partial(_load, as_yaml(_CONFIG), overrides=[f"{key}={text}"])


# ------------------------------------------------------------------------------------------------------------- readers
def _load(data: bytes, *, overrides: list[str] | None = None, resolves: bool = False) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "experiment.yaml")
        path.write_bytes(data)
        try:
            config = load_config(path, overrides=overrides or [])
        except (UserError, OSError) as error:
            check_words(
                error, names=(str(path), *(each.partition("=")[0][:30] for each in overrides or ()), "override")
            )
            raise
        stored = Path(place, "config.yaml")
        stored.write_text(dumped(config.plain()), encoding="utf-8")
        assert stored_values(stored) == config.plain(), "what is stored must be read as it was"
        if resolves:
            resolve(config)
