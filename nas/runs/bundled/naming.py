"""The bundled runs by name: `sample` means one wherever a run may be named, unless a run of that name is there.

`sample` is the demo's, `sample_onnxruntime` the same search for another device, without its scores;
`python -m experiments.sample` makes them.
"""

from os import PathLike
from pathlib import Path
from typing import Final

from search_spaces.files.paths import local_path

SAMPLE: Final = "sample"
_MARKS: Final = ("config.yaml", "trace.jsonl", "architecture.json", "devices.json")  # of a run, a damaged one too
BUNDLED_RUNS: Final = {name: Path(__file__).parent / name for name in (SAMPLE, "sample_onnxruntime")}


def named_run(reference: str | PathLike[str], /) -> Path:
    """The directory that a reference means: a run that is there, else the bundled one of that name, else the path.

    Args:
        reference: A path, or the name of a bundled run.
    """
    path = local_path(reference)
    return path if any((path / mark).exists() for mark in _MARKS) else BUNDLED_RUNS.get(str(reference), path)


def is_bundled(path: Path, /) -> bool:
    """Whether a path is the directory of a bundled run, where nothing is written."""
    return path.resolve() in {run.resolve() for run in BUNDLED_RUNS.values()}
