"""The sample runs that are bundled, made of finished searches: whatever can be looked at, and no weights.

    make demo
    python -m experiments.sample runs/demo
    nas search experiments/demo.yaml latency_table=shapes_cpu_onnxruntime --out runs/demo-onnxruntime
    python -m experiments.sample runs/demo-onnxruntime --name sample_onnxruntime --without-scores

Models, captions and the table are called by their bundled names, so that no path of a machine remains; pictures have
few colours, and only the first round's actions keep some; of exports their reports stay. The rest is the run's own.
"""

import io
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import pyarrow as pa
import typer
import yaml
from PIL import Image

from experiments.command import run
from latency import find_table, read_latency_table, shipped_tables
from nas.config.places.bundled import NAMED
from nas.runs.bundled.naming import BUNDLED_RUNS, SAMPLE
from nas.runs.directory import is_run
from nas.runs.run import open_run
from nas.scores.stored.sealed_table import seal, unseal
from search_spaces.files.durable.writing import whole
from search_spaces.files.strict_yaml import dumped
from search_spaces.files.user_error import UserError

NUM_COLOURS: Final = 14  # of a picture of shapes; 64 px then take about a kilobyte
SAMPLES: Final = ".samples.parquet"  # a few pictures of a scored action; those of the first round stay
NUM_SAMPLES: Final = 2
LEFT_OUT: Final = re.compile(
    r"checkpoints/|weights/|embedded/|training/|logs/|images/|export[^/]*/.*/|.*\.(safetensors|lock|html)$|.*\.part"
)
SCORES: Final = re.compile(r"scores/|.*\.png$")
MACHINE_PATH: Final = re.compile(rb"[\"'\s](/[\w.-]+/[\w./-]+)")


def main(
    run: Annotated[Path, typer.Argument(help="a finished run; the demo's is exported first")],
    name: Annotated[str, typer.Option(help=f"of the sample: {', '.join(BUNDLED_RUNS)}")] = SAMPLE,
    without_scores: Annotated[bool, typer.Option("--without-scores", help="leave scores and pictures out")] = False,
    out: Annotated[Path | None, typer.Option(help="where, if not in the package")] = None,
) -> None:
    """Make a sample run of a run."""
    out = BUNDLED_RUNS[name] if out is None else out
    searched = open_run(run)
    if not searched.is_finished:
        raise UserError(f"a sample is made of a finished run, but {run} is none; run its search to the end")
    later = set(searched.rounds()["weights_digest"][1:])
    with whole(out, check=check_is_sample) as part:
        for source in sorted(path for path in run.rglob("*") if path.is_file()):
            inside = source.relative_to(run).as_posix()
            if LEFT_OUT.match(inside) or (without_scores and SCORES.match(inside)):
                continue
            if inside.endswith(SAMPLES) and source.parent.name in later:
                continue
            target = part / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            write(source, target)
        if told := sorted(machine_paths(part)):
            raise UserError(f"a sample names no place of a machine, but found {', '.join(told)}")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{run} -> {out}: {size / 1000:.0f} kB")


def check_is_sample(folder: Path, /) -> None:
    """Check that nothing but a sample is replaced.

    Raises:
        UserError: It is none.
    """
    if not is_run(folder) or (folder / "checkpoints").exists():
        raise UserError(f"{folder} must be a sample, or not be there yet, but it is something else; give another --out")


def write(source: Path, target: Path, /) -> None:
    """Copy one file of a run, smaller where it holds pictures and by bundled names where it is a config."""
    if source.name.endswith(".parquet"):
        name = f"{source.parent.name}/{source.name}"
        table = unseal(source.read_bytes(), name=name)
        if source.name.endswith(SAMPLES):  # of the first prompts of an action: fewer are samples, too
            table = table.slice(0, NUM_SAMPLES)
        if "png" in table.column_names:
            pictures = pa.array([smaller(png) for png in table["png"].to_pylist()], type=table.schema.field("png").type)
            table = table.set_column(table.column_names.index("png"), "png", pictures)
        target.write_bytes(seal(table, name=name))
    elif source.suffix == ".png":
        target.write_bytes(smaller(source.read_bytes()))
    elif source.suffix == ".yaml":
        target.write_text(dumped(by_names(yaml.safe_load(source.read_text(encoding="utf-8")))), encoding="utf-8")
    else:
        shutil.copyfile(source, target)


def smaller(png: bytes, /) -> bytes:
    """The same picture in few colours."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    few = picture.quantize(NUM_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    sink = io.BytesIO()
    few.save(sink, format="PNG", optimize=True)
    return sink.getvalue()


def by_names(config: Mapping[str, Any], /, *, above: str = "") -> dict[str, Any]:
    """A config whose paths are the names of what is bundled; other places keep their last part."""
    named: dict[str, Any] = {}
    for key, value in config.items():
        dotted = f"{above}{key}"
        if isinstance(value, Mapping):
            named[key] = by_names(value, above=f"{dotted}.")
        elif isinstance(value, str) and value.startswith("/"):
            named[key] = name_of(dotted, Path(value))
        else:
            named[key] = value
    return named


def name_of(key: str, path: Path, /) -> str:
    """The bundled name of what a setting says, by what stands there: a folder's name, or a table's digest."""
    for name, place in NAMED.get(key, {}).items():
        if path.parts[-2:] == place.parts[-2:]:
            return name
    if key == "latency_table" and path.is_file():
        digest = read_latency_table(path).digest
        return next(
            (name for name in shipped_tables() if read_latency_table(find_table(name)).digest == digest), path.name
        )
    return path.name


def machine_paths(folder: Path, /) -> Iterator[str]:
    """Files that name an absolute path, each with the first."""
    for path in folder.rglob("*"):
        if path.suffix in {".json", ".jsonl", ".yaml", ".md"} and (found := MACHINE_PATH.search(path.read_bytes())):
            yield f"{found[1].decode()} in {path.relative_to(folder)}"


if __name__ == "__main__":
    run(main)
