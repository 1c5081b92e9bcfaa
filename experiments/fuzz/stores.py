"""Stores that outlive a command: tabular benchmarks, numbers of evaluations, states of training, encoded pictures.

A file is damaged, or edited and sealed again as its writer would. It is read as it was written, taken for lost with a
warning where it can be made again, or refused in words that name it.
"""

import copy
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from experiments.fuzz.case import Case
from experiments.fuzz.damaged_yaml import ODD, check_words
from experiments.fuzz.places import somewhere
from nas.curves.store import ChunkKey, EvaluationStore
from nas.scores.stored.pictures import as_pictures, as_table, read_sealed, write_sealed
from nas.scores.stored.sealed_table import column_text, digest_of_columns
from nas.tabular.benchmark import Benchmark
from nas.tabular.files import read_benchmark, write_benchmark
from nas.training.data.shards import ShardFacts, mapped, read_facts, shard_path, write_shard
from nas.training.state import TrainingState, read_state, write_state
from search_spaces.files.user_error import UserError

_TOKENS: Final = (b"\x00", b"\xff", b"PAR1", b"{", b"[" * 3000, b'"', b"9" * 5000)
_CELLS: Final = {
    "int64": (None, -1, 0, 2**62),
    "double": (None, -1.0, 0.0, float("nan"), 1e300),
    "list": (None, [], [None], [float("nan")]),
}
_KEY: Final = ChunkKey(model="m" * 8, protocol="p" * 8, prompts="q" * 8, kind="clip")
_IDENTITY: Final = {"model": "a", "settings": "b"}


def inputs(seed: int, num: int) -> Iterator[Case]:
    """So many damaged files."""
    dice = random.Random(seed)
    for number in range(num):
        kind = dice.choice(tuple(_KINDS))
        own = dice.randrange(2**32)
        yield Case(f"{number} {kind.__name__.strip('_')} {own}", partial(_run, kind, own))


def _run(kind: Callable[[Path, random.Random], None], own: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        try:
            kind(Path(place), random.Random(own))
        except UserError as error:
            check_words(error, names=(place,))
            raise


# ------------------------------------------------------------------------------------------------------------- readers
def _benchmark(place: Path, dice: random.Random) -> None:
    """A benchmark's bytes."""
    path = place / "mine.parquet"
    path.write_bytes(_damaged(_written("benchmark"), dice))
    found = read_benchmark(path)
    assert found.edits == _recorded().edits


def _edited_benchmark(place: Path, dice: random.Random) -> None:
    """What a benchmark says of itself, or a column, changed by somebody who seals it again."""
    path = place / "mine.parquet"
    path.write_bytes(_written("benchmark"))
    table = pq.read_table(path)
    about = json.loads(table.schema.metadata[b"tabular_benchmark"])
    if dice.random() < 0.7:
        _edit(about, dice)
    else:
        name = dice.choice(table.column_names)
        values = table[name].to_pylist()
        kind = str(table.schema.field(name).type)
        values[dice.randrange(len(values))] = dice.choice(_CELLS[kind if kind in _CELLS else "list"])
        table = table.set_column(table.column_names.index(name), name, pa.array(values, table.schema.field(name).type))
    text = json.dumps(about)
    seal = digest_of_columns(text, {name: column_text(table[name].to_pylist()) for name in table.column_names})
    with pq.ParquetWriter(path, table.schema.remove_metadata(), store_schema=False) as writer:
        writer.write_table(table.replace_schema_metadata(None))
        writer.add_key_value_metadata({"tabular_benchmark": text, "seal": seal})
    found = read_benchmark(path)
    assert np.isfinite(found.best(target_ms=float(found.latency_ms.max())))


def _numbers(place: Path, dice: random.Random) -> None:
    """Numbers of an evaluation: what was put there, or nothing."""
    store = EvaluationStore(place / "store")
    numbers = np.arange(4, dtype=np.float32).reshape(2, 2)
    store.put(_KEY, numbers, rows={"caption": ["a", "b"]})
    (path,) = (place / "store").rglob("*.parquet")
    path.write_bytes(_damaged(path.read_bytes(), dice))
    found = EvaluationStore(place / "store").get(_KEY)
    assert found is None or np.array_equal(found, numbers)
    assert np.array_equal(store.put(_KEY, numbers, rows={"caption": ["a", "b"]}), numbers)


def _evaluation_mark(place: Path, dice: random.Random) -> None:
    """The mark of such a store."""
    EvaluationStore(place / "store")
    (mark,) = (path for path in (place / "store").iterdir() if path.is_file())
    mark.write_bytes(_damaged(mark.read_bytes(), dice))
    EvaluationStore(place / "store")


def _samples(place: Path, dice: random.Random) -> None:
    """Small pictures beside scores."""
    pictures = np.random.default_rng(0).integers(0, 256, size=(2, 4, 4, 3), dtype=np.uint8)
    write_sealed(place / "a.samples.parquet", as_table(pictures))
    path = place / "a.samples.parquet"
    path.write_bytes(_damaged(path.read_bytes(), dice))
    table = read_sealed(path, sets_aside=dice.random() < 0.5)
    assert table is None or np.array_equal(as_pictures(table), pictures)


def _state(place: Path, dice: random.Random) -> None:
    """The state of a training: the one that was written, or none."""
    path = place / "state.safetensors"
    write_state(path, _trained())
    path.write_bytes(_damaged(path.read_bytes(), dice))
    _read_state(path)


def _edited_state(place: Path, dice: random.Random) -> None:
    """What a state says of itself."""
    path = place / "state.safetensors"
    write_state(path, _trained())
    _edit_header(path, "training", dice)
    _read_state(path)


def _read_state(path: Path) -> None:
    found = read_state(path, identity=_IDENTITY)
    assert found is not None
    assert found.step == _trained().step
    assert torch.equal(found.weights["w"], _trained().weights["w"])


def _shard(place: Path, dice: random.Random) -> None:
    """Encoded pictures."""
    path = shard_path(place, 0)
    facts = ShardFacts(
        made_from="x", num_pictures=2, num_read=2, num_captions=1, several=False, goes_on=(0, 2), damaged=(("a", "b"),),
        num_damaged=1,
    )  # fmt: skip
    write_shard(path, {"latents": torch.zeros(2, 4, 2, 2).half()}, facts=facts)
    if dice.random() < 0.5:
        path.write_bytes(_damaged(path.read_bytes(), dice))
    else:
        _edit_header(path, "shard", dice)
    found = read_facts(path)
    assert isinstance(found.num_pictures, int)
    assert all(isinstance(part, int) for part in found.goes_on)
    mapped(path)


_KINDS: Final = (
    _benchmark, _edited_benchmark, _numbers, _evaluation_mark, _samples, _state, _edited_state, _shard,
)  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- damages
def _damaged(data: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.choice((1, 1, 2, 5))):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(5):
            case 0:
                data = data[:at]
            case 1 if at < len(data):
                data = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
            case 2:
                data = data[:at] + dice.choice(_TOKENS) + data[at:]
            case 3:
                data = data[:at] + data[at + dice.randrange(1, 40) :]
            case _:
                data += data[at:]
    return data


def _edit(document: Any, dice: random.Random) -> None:
    """Exchange, take away or add something in a document."""
    holder, key = somewhere(document, dice, deeper=0.6)
    match dice.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder["colour"] = holder[key]
        case _:
            holder[key] = copy.deepcopy(dice.choice([each for each in ODD if each != 10**400]))


def _edit_header(path: Path, key: str, dice: random.Random) -> None:
    """Write a safetensors file again with another document under a key of its header."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
        document = json.loads(file.metadata()[key])
    if dice.random() < 0.8:
        _edit(document, dice)
    text = json.dumps(document) if dice.random() < 0.9 else dice.choice(("", "{", "[]", "5", '"x"', "[" * 5000, "nul"))
    save_file(tensors, path, metadata={key: text} if dice.random() < 0.95 else {})


@cache
def _recorded() -> Benchmark:
    """Two edits, all four architectures."""
    return Benchmark(
        name="small", model="m", protocol="p", score="clip", unit="", higher_is_better=True, device="cpu",
        edits=("attention[down.0,0]", "resnet[mid,0]"), num_searched=2, passes_per_prompt=2, seconds_per_pass=0.5,
        made_by="a command", masks=np.arange(4), latency_ms=np.array([1.0, 2.0, 3.0, 4.0]),
        num_params=np.array([1, 2, 3, 4]), num_macs=np.array([1, 2, 3, 4]),
        scores=tuple(np.array([0.25 * index, 0.5]) for index in range(4)),
    )  # fmt: skip


@cache
def _written(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, name)
        write_benchmark(_recorded(), path)
        return path.read_bytes()


@cache
def _trained() -> TrainingState:
    weights = {"w": torch.arange(4.0)}
    return TrainingState(
        identity=_IDENTITY,
        step=2,
        losses=torch.tensor([1.0, 0.5]),
        position={"epoch": 0, "next": 2},
        weights=weights,
        average={"w": torch.ones(4)},
        moments={"w": {"exp_avg": torch.zeros(4), "step": torch.tensor(2.0)}},
    )
