"""Notebooks are texts, notebooks/*.md; this writes the files beside them that Jupyter opens, without outputs.

    python -m tests.notebooks

Who has changed one in Jupyter runs `jupytext --to myst notebooks/NAME.ipynb` first.
"""

from pathlib import Path

import jupytext
import nbformat

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


if __name__ == "__main__":
    for text in TEXTS:
        text.with_suffix(".ipynb").write_text(paired(text), encoding="utf-8")
