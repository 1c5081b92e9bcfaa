"""Profilers' reports, maps, latency tables and kits' manifests: bytes, texts and values changed at random places.

What is refused names the file. A table that is read can be written, and what was written reads as the same table.
"""

import copy
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from experiments.fuzz.case import Case
from experiments.fuzz.places import somewhere
from latency import Device, find_table, read_table, table_text
from latency.exporters.formats import Converter, ModelFormat
from latency.importers import IMPORTERS, read_files, read_report
from latency.kits.importing import import_table
from latency.kits.manifest import BlockFile, EmptyFile, Manifest, WholeModelFile
from latency.kits.manifest_file import read_manifest, to_document
from latency.kits.matching import read_map
from latency.pricing.scenario import Workload
from latency.trust.validation import validate
from search_spaces import space_from_config
from search_spaces.files.user_error import UserError

_ODD: Final[tuple[Any, ...]] = (
    None, True, "", "x", "nan", "1e999", "-1", "0", 0, -1, 0.5, 1e308, 5e-324, 10**400, 2**63, float("nan"), [], {},
    [[]], {"a": {}}, "9" * 5000, "\x00", "\u00e9", "../../x", "a\nb", "\x1b[31m",
)  # fmt: skip
_TOKENS: Final = (
    b"NaN", b"Infinity", b"-1", b"1e999", b"9" * 5000, b'"', b"[" * 100_000, b'{"a":' * 2000, b"\x00", b";", b"\t",
    b",", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"'",
)  # fmt: skip
_REPORTS: Final = {
    "onnxruntime": json.dumps(
        [{"cat": "Session", "name": "model_run", "ts": i * 1000, "dur": 900 + i, "pid": 1, "tid": 1} for i in range(4)]
    ),
    "openvino": json.dumps(
        {
            "cmd_options": {"-m": "blocks/a.onnx", "-infer_precision": "f32"},
            "configuration_setup": {"batch size": "1", "target device": "CPU"},
            "execution_results": {"latency (ms)": "1.5", "min latency": "1", "max latency": "2", "avg latency": "1.6"},
        }
    ),
    "openvino-csv": "Command line parameters\nm;blocks/a.onnx\n\nConfiguration setup\nbatch size;1\n\n"
    "Execution results\ntotal number of iterations;9\nMedian latency (ms);1.5\n"
    "Min latency (ms);1.0\nMax latency (ms);2.0\n",
    "tflite": "Graph: [a.tflite]\nINFO: count=70 first=14941 curr=14066 min=13728 max=16145 avg=14290.9 std=452\n\n"
    "INFO: Inference timings in us: Init: 52687, First inference: 19105, Warmup (avg): 14452.5, "
    "Inference (avg): 14290.9\n",
    "ai-hub": json.dumps(
        {
            "execution_summary": {"estimated_inference_time": 281, "all_inference_times": [350, 321, 281]},
            "execution_detail": [{"name": "Conv", "type": "Conv", "compute_unit": "NPU", "execution_time": 200}],
        }
    ),
    "tensorrt": json.dumps([{"startEnqMs": i, "latencyMs": 1.2, "computeMs": 1.0} for i in range(4)]),
    "torch": json.dumps(
        {"traceEvents": [{"cat": "user_annotation", "name": "block:blocks/a.onnx", "ts": 1, "dur": 1500, "ph": "X"}]}
    ),
    "litert": json.dumps(
        {
            "model": "a.tflite",
            "accelerators": ["CPU"],
            "latency": dict.fromkeys(("median_ms", "p5_ms", "p95_ms", "min_ms", "avg_ms", "std_ms"), 1.0)
            | {"num_runs": 5},
        }
    ),
    "csv": "file,median_ms,p10_ms,p90_ms,num_samples\nblocks/a.onnx,1.5,1,2,9\nwhole/b.onnx,3,,,\n",
}


def inputs(seed: int, num: int) -> Iterator[Case]:
    """So many damaged files."""
    dice = random.Random(seed)
    for number in range(num):
        kind = dice.choice(tuple(_KINDS))
        own = dice.randrange(2**32)
        yield Case(f"{number} {kind} {own}", partial(_run, kind, own))


def _run(kind: str, seed: int) -> None:
    """Write a damaged file and read it."""
    dice = random.Random(seed)
    content, read = _KINDS[kind]
    name, data = content(dice)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, name)
        file.write_bytes(_damaged(data, dice))
        try:
            read(file, dice)
        except UserError as error:
            # What a table lacks is told by the model files that have no time.
            if not any(each in str(error) for each in (name, *(entry.file for entry in _manifest().entries))):
                raise AssertionError(f"an error must name the file {name}, but says: {error}") from error
            raise


# ------------------------------------------------------------------------------------------------------------- damages
def _damaged(data: bytes, dice: random.Random) -> bytes:
    if data[:1] in (b"{", b"[") and dice.random() < 0.6:
        document = json.loads(data)
        for _ in range(dice.randrange(1, 4)):
            if isinstance(document, (dict, list)) and document:
                _change(document, dice)
        try:
            return json.dumps(document).encode()
        except ValueError:  # a whole number too long to be written
            return b'{"huge": ' + b"9" * 5000 + b"}"
    for _ in range(dice.randrange(1, 4)):
        data = _changed_bytes(data, dice)
    return data


def _change(document: Any, dice: random.Random) -> None:
    """Exchange, take away or double a part somewhere in a document."""
    holder, key = somewhere(document, dice, deeper=0.8)
    match dice.randrange(4):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case 2 if isinstance(holder, dict):
            holder[dice.choice(("colour", "", "file", "\x00"))] = holder[key]
        case _:
            holder[key] = copy.deepcopy(dice.choice(_ODD))


def _changed_bytes(data: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(data) + 1)
    match dice.randrange(6):
        case 0:
            return data[:place]
        case 1:
            return data[:place] + bytes([dice.randrange(256)]) + data[place + 1 :]
        case 2:
            end = dice.randrange(place, min(len(data), place + 2000) + 1)
            return data[:end] + data[place:end] * dice.randrange(1, 4) + data[end:]
        case 3:
            return data.decode("latin-1").encode(dice.choice(("utf-16", "utf-32", "utf-8-sig", "utf-16-le")))
        case 4:
            return data[:place] + dice.choice(_TOKENS) + data[place:]
        case _:
            lines = data.split(b"\n")
            dice.shuffle(lines)
            return b"\n".join(lines)


# ------------------------------------------------------------------------------------------------------------- readers
def _report(dice: random.Random) -> tuple[str, bytes]:
    return dice.choice(("a.json", "a.csv")), dice.choice(tuple(_REPORTS.values())).encode()


def _read_report(file: Path, dice: random.Random) -> None:
    """By its looks, or as what it may not be; in a table of the small kit now and then."""
    (report,) = read_files([file])
    if dice.random() < 0.7:
        importer = IMPORTERS[dice.choice(tuple(IMPORTERS))] if dice.random() < 0.3 else None
        _, readings = read_report(report, importer=importer)
        assert all(0 < each.min_ms <= each.median_ms <= each.p90_ms for each in readings)
        return
    import_table(
        _manifest(), [report], device=Device(name="x"), runtime_version="1", runtime_name="x", allow_unchecked=True
    )


def _results(dice: random.Random) -> tuple[str, bytes]:
    lines = (f"{entry.file},{0.1 + dice.random()}" for entry in _manifest().entries)
    return "results.csv", "\n".join(["file,median_ms", *lines, ""]).encode()


def _read_results(file: Path, dice: random.Random) -> None:
    """A filled-in CSV; what can be made of it is a table like any other."""
    table = import_table(
        _manifest(), read_files([file]), device=Device(name="x"), runtime_version="1", runtime_name="x"
    ).table
    assert validate(table_text(table).encode()).table == table


def _map(dice: random.Random) -> tuple[str, bytes]:
    return "map.csv", b"report,file\na.json#x,blocks/a.onnx\nb.json,whole/b.onnx\n"


def _read_map(file: Path, dice: random.Random) -> None:
    read_map(*read_files([file]))


def _table(dice: random.Random) -> tuple[str, bytes]:
    return "table.json", _tables()[dice.randrange(len(_tables()))]


def _read_table(file: Path, dice: random.Random) -> None:
    """The validation never raises, and finds a problem in whatever the reader refuses."""
    found = validate(file.read_bytes(), space=_space() if dice.random() < 0.5 else None)
    assert found.is_good or any(finding.message for finding in found.findings)
    table = read_table(file)
    assert found.table == table
    file.write_text(table_text(table), encoding="utf-8")
    assert read_table(file) == table


def _manifest_file(dice: random.Random) -> tuple[str, bytes]:
    return "manifest.json", json.dumps(to_document(_manifest())).encode()


def _read_manifest(file: Path, dice: random.Random) -> None:
    read_manifest(file)


_KINDS: Final[dict[str, tuple[Callable[[random.Random], tuple[str, bytes]], Callable[[Path, random.Random], None]]]] = {
    "report": (_report, _read_report),
    "results": (_results, _read_results),
    "map": (_map, _read_map),
    "table": (_table, _read_table),
    "manifest": (_manifest_file, _read_manifest),
}


@cache
def _tables() -> tuple[bytes, ...]:
    return tuple(find_table(name).read_bytes() for name in ("shapes_cpu_onnxruntime", "sd15_cpu_torch_eager"))


@cache
def _space() -> Any:
    return space_from_config(
        {
            "sample_size": 8,
            "block_out_channels": [8],
            "layers_per_block": 1,
            "down_block_types": ["CrossAttnDownBlock2D"],
            "up_block_types": ["CrossAttnUpBlock2D"],
            "attention_head_dim": 2,
            "cross_attention_dim": 8,
        }
    )


@cache
def _manifest() -> Manifest:
    """A kit of a small space, whose files are named after a letter."""
    space, sizes = _space(), {"height": 8, "width": 8, "context_tokens": 4}
    base = space.sites(space.base, **sizes)
    blocks = tuple(
        BlockFile(
            file=f"blocks/{chr(97 + index)}.onnx",
            sha256=f"{index:064x}",
            signature=signature,
            sites=tuple(site.name for site in base if site.signature == signature),
        )
        for index, signature in enumerate(space.reachable_signatures(**sizes))
    )
    return Manifest(
        format=ModelFormat.ONNX,
        converter=Converter(name="torch.onnx.export", version="2"),
        workload=Workload(
            base_model="small", latent_height=8, latent_width=8, batch=1, dtype="float32", context_tokens=4,
            cross_attention_dim=8, temb_channels=space.temb_channels, attention_impl="AttnProcessor2_0",
        ),
        space=space,
        blocks=blocks,
        whole_models=(WholeModelFile(file="whole/base.onnx", sha256="0" * 64, architecture=space.base),),
        empty=EmptyFile(file="blocks/empty_call.onnx", sha256="0" * 64),
    )  # fmt: skip
