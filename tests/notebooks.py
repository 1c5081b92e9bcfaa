"""Notebooks are texts, notebooks/*.md; this writes the files beside them that Jupyter opens, without outputs.

    python -m tests.notebooks
    python -m tests.notebooks build/notebooks build/docs-cache      keeps what executing them gave, for the site

Who has changed one in Jupyter runs `jupytext --to myst notebooks/NAME.ipynb` first.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

FOLDER = Path(__file__).parents[1] / "notebooks"
TEXTS = sorted(FOLDER.glob("*.md"))


def paired(text: Path, /) -> str:
    """What the notebook beside a text must hold: its cells in their order, and nothing that running them left."""
    notebook = jupytext.read(text)
    notebook.metadata["jupytext"]["formats"] = "ipynb,md:myst"
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def keep(executed: Path, cache: Path, /) -> None:
    """Keep what executed notebooks gave where the site looks for it, so that it executes none of them again."""
    kept = get_cache(cache)
    for path in sorted(executed.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # times, by which it would not be known again
        kept.cache_notebook_bundle(CacheBundleIn(notebook, str(path)), overwrite=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        keep(Path(sys.argv[1]), Path(sys.argv[2]))
    for text in TEXTS:
        text.with_suffix(".ipynb").write_text(paired(text), encoding="utf-8")
