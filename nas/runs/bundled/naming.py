"""The sample run by name: `sample` means it wherever a run may be named, unless such a folder is there.

`python -m experiments.sample RUN` makes it of a finished run of the demo.
"""

from os import PathLike
from pathlib import Path
from typing import Final

from search_spaces.files.paths import local_path

SAMPLE: Final = "sample"
BUNDLED_RUNS: Final = {SAMPLE: Path(__file__).parent / SAMPLE}


def named_run(reference: str | PathLike[str], /) -> Path:
    """The directory that a reference means: what is there, else the bundled run of that name, else the path as given.

    Args:
        reference: A path, or "sample".
    """
    path = local_path(reference)
    return path if path.exists() else BUNDLED_RUNS.get(str(reference), path)
