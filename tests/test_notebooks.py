"""Notebooks are articles: short cells, no outputs in git, texts and notebooks that agree, links that lead somewhere."""

import re
from pathlib import Path

import nbformat
import pytest

from tests.notebooks import FOLDER, TEXTS, paired

MAX_LINES = 15
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_four_articles() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]
    assert [path.stem for path in TEXTS] == [path.stem for path in NOTEBOOKS]


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)
def test_texts_and_notebooks_agree_and_hold_no_outputs(text: Path) -> None:
    notebook = text.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert notebook == paired(text), "run: python -m tests.notebooks"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_and_only_read_and_draw(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert code
    assert [source for source in code if len(source.splitlines()) > MAX_LINES] == []
    assert [
        source for source in code if re.search(r"^\s*(def|class|for|while|if|try|with)\b", source, re.MULTILINE)
    ] == []
    assert [cell.cell_type for cell in cells[:1]] == ["markdown"], "an article begins with its question"
    assert re.search(r"^\*.+\?\*", cells[0].source, re.MULTILINE), "an article begins with its question"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?![a-z]+:)([^)\s#]+)", text)
    assert [link for link in links if not (FOLDER / link).exists()] == []
