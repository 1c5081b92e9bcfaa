"""Every figure of a run, drawn for the documentation, and the page that shows them.

    python -m experiments.gallery RUN... docs/figures

Writes FOLDER/NAME.png for each figure of `nas plot --list` that RUN has what it takes for, and the page FOLDER.md
beside it; of several runs the first is drawn, and all of them where a figure compares runs. What RUN lacks stays on the
page as it is, such as the figure of a sweep. Pictures are reduced to a few colours, so that each takes some ten
kilobytes.
"""

import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image

from nas.reports.figures import FIGURES, NamedFigure, draw
from nas.reports.style import FigureError
from nas.reports.writing import Ground, picture_of, title_of
from nas.runs.run import Run, open_run
from search_spaces.files.durable.writing import whole, write_text

DPI: Final = 100
NUM_COLOURS: Final = 96
HEAD: Final = """# Figures

Each figure answers a question about a search, also while it runs or after it crashed. `nas plot --list` explains them;
a file is a picture by its ending: `.png`, `.svg` or `.pdf`. In a notebook the same figures are functions of a run:

```python
from nas import open_run
from nas.reports.figures import draw, importance

run = open_run("runs/demo")
importance(run, round=0)
draw("tradeoff", [run])
```

Blue are ResNets, orange cross-attentions; pale is what could be chance. A name such as "Up-3 ResNet 1" is SnapFusion's
name of the stage and the position in it, both counted from 1: the action on it is `-resnet[up.3,0]` where the innermost
up stage counts to Mid, as in the paper's Table 3. `--ground dark` draws with light ink, `--ground none` on no ground.
A notebook on dark ground gives figures paper by
`%config InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "facecolor": "white"}`.

The run is the demo's (`make demo`): the bundled small model, 20 prompts, and a few training steps, so that most
differences are within their intervals. This page is written by `python -m experiments.gallery runs/demo docs/figures`.
"""
RUN_BY = "<!-- run by tests/nas/cli/test_plot.py -->"


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 2:
        print(__doc__)
        return 2
    *places, folder = map(Path, arguments)
    runs = [open_run(place) for place in places]
    page = folder.with_suffix(".md")
    before = page.read_text(encoding="utf-8") if page.is_file() else ""
    sections = [_section(figure, runs, folder) or _kept(figure.name, before) for figure in FIGURES.values()]
    write_text(page, HEAD + "".join(sections))
    return 0


def _kept(name: str, page: str) -> str:
    """A figure's part of a page as it stands; "" where it has none."""
    found = re.search(rf"\n## {name}\n.*?(?=\n## |\Z)", page, re.DOTALL)
    return found[0] if found else ""


def _section(figure: NamedFigure, runs: Sequence[Run], folder: Path) -> str:
    """A figure's part of the page, whose picture is written; "" where the run lacks what it shows."""
    try:
        drawn = draw(figure.name, runs if figure.takes_several else runs[:1])
    except FigureError as error:
        print(f"{figure.name}: {error}")
        return ""
    path = folder / f"{figure.name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(picture_of(drawn, ground=Ground.WHITE, dpi=DPI))) as picture, whole(path) as part:
        few = picture.convert("RGB").quantize(NUM_COLOURS, dither=Image.Dither.NONE)
        few.save(part, format="PNG", optimize=True)
    print(f"{figure.name}: {path.stat().st_size / 1000:.0f} kB")
    run = "runs/demo runs/phone" if figure.takes_several else "runs/demo"
    return (
        f"\n## {figure.name}\n\n{figure.sentence}\n\n{RUN_BY}\n```bash\nnas plot {run} {figure.name}\n```\n\n"
        f"![{title_of(drawn)}]({folder.name}/{path.name})\n"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
