"""What a run directory holds in words: events of the trace, side files, frames; from the docstrings of their classes.

python -m tests.traces docs/traces.md      writes the page
"""

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

from nas.runs.events import KINDS as EVENTS
from nas.runs.events import ActionEvaluated, SearchExtended
from nas.runs.frames.methods import FRAMES, Frames
from nas.runs.records.lines import KINDS, PricedBlock
from nas.scores.intervals import Interval

_HEAD: Final = """\
# What a run writes down

A run directory can be read while the search goes on, and after it was stopped or killed. `nas.open_run(DIR)` gives all
of it as [frames](#frames); `nas frames DIR --out FOLDER` writes them as CSV or parquet, or for TensorBoard, MLflow,
Perfetto and optuna-dashboard. This page is written by `python -m tests.traces docs/traces.md`, from the classes.

| file | what |
|---|---|
| `config.yaml` | every setting that can change a result; `earlier/` keeps those from before an extension |
| `environment.json` | versions, machine and commit on which it began |
| `trace.jsonl` | [events](#events), one JSON object a line: what happened, in order; resuming replays it |
| `breakdown.jsonl`, `timings.jsonl`, `training.jsonl` | [side files](#side-files): for figures; nothing needs them |
| `scores/` | per-prompt scores, and pictures, by content: [`nas.scores.store`](architecture.md) |
| `embedded/` | captions as the UNet reads them, embedded once for all workers; made again where they are removed |
| `checkpoints/` | of every round: architecture, digest of its weights, and what they were made from |
| `weights/` | weights by content, safetensors; weights that nobody trained are written nowhere |
| `training/` | while a round trains: its state, from which a killed training goes on; encoded pictures |
| `images/` | the first prompts' pictures, a sheet per round |
| `architecture.json` | what was found, when the search has ended |

A line counts when it ends: a last one without a line end is torn, and is left out. Keys are added in later versions,
and never renamed or removed.

## Events

Every line has `event`, the fields below, and `runtime`: what may differ between two runs of one search, such as `time`
(unix seconds), `seconds` (wall time of a training or scoring), `loss` (mean of the first and last tenth of a training's
losses; up to 0.1.0 `losses`, all of them), `distrust` (of the latency source) and `environment` (once per process). A
search that is continued checks that it comes to the same events, `runtime` aside.

An *interval* is an object:
"""
_LATER: Final = """
## Side files

A missing or damaged side file costs a figure, never a result. Of lines that agree in the key named below, which a
killed search may leave, the last one counts.
"""
_FRAMES: Final = """
## Frames

`run = nas.open_run(DIR)`, then `run.rounds()` and so on; `nas.open_runs([DIR, DIR])` has the rows of several runs and a
first column `run`. A run of an older version has empty frames where it wrote nothing, and says so in `run.notices`.
"""


def page() -> str:
    """docs/traces.md."""
    parts = [_HEAD, *_rows(Interval, _attributes(Interval)), ""]
    for kind in EVENTS:
        of = " (of an action)" if kind is ActionEvaluated else ""
        parts += [f"### `{kind.name}`{of}\n", _summary(kind), ""]
        if kind is not SearchExtended:
            parts += [*_rows(kind, _attributes(kind), optional=kind.optional), ""]
    parts.append(_LATER)
    for line in KINDS:
        key = ", ".join(f"`{name}`" for name in line.key)
        parts += [f"### `{line.file}`\n", f"{_summary(line)} Key: {key}.", "", *_rows(line, _attributes(line)), ""]
    parts += ["Each of `blocks`:", "", *_rows(PricedBlock, _attributes(PricedBlock)), _FRAMES]
    for name in FRAMES:
        method = getattr(Frames, name)
        columns = _section(method, "Columns")
        rows = [f"| `{column}` | {words} |" for column, words in columns.items()]
        parts += [f"### `{name}()`\n", _summary(method), "", "| column | meaning |", "|---|---|", *rows, ""]
    return "\n".join(parts).rstrip() + "\n"


def _summary(thing: Any) -> str:
    """The paragraphs of a docstring before its sections."""
    text = inspect.getdoc(thing)
    assert text, f"{thing} says what it is"
    before = re.split(r"^(?:Attributes|Columns|Args)\b", text, flags=re.MULTILINE)[0]
    return "\n\n".join(" ".join(part.split()) for part in before.strip().split("\n\n"))


def _attributes(kind: type) -> dict[str, str]:
    return _section(kind, "Attributes")


def _section(thing: Any, title: str) -> dict[str, str]:
    """A section of a docstring, by name."""
    text = inspect.getdoc(thing) or ""
    found = re.search(rf"^{title}\b[^\n]*:\n((?:    .*\n?|\n(?=    ))+)", text, re.MULTILINE)
    assert found, f"{thing} has {title}"
    entries = re.split(r"^    (?=\w+: )", found[1], flags=re.MULTILINE)[1:]
    return {entry.partition(": ")[0]: " ".join(entry.partition(": ")[2].split()) for entry in entries}


def _rows(kind: Any, words: dict[str, str], *, optional: frozenset[str] = frozenset()) -> Iterator[str]:
    """A table of the fields of a class; all are described, and nothing else is."""
    names = {field.name: field.type for field in fields(kind)}
    assert set(words) == set(names), f"{kind.__name__} describes {set(words) ^ set(names)}"
    yield "| key | type | meaning |"
    yield "|---|---|---|"
    for name, type_ in names.items():
        left_out = " Left out where it is null." if name in optional else ""
        yield f"| `{name}` | {_type(type_)} | {words[name]}{left_out} |"


def _type(annotation: Any) -> str:
    """A type as JSON has it."""
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    if not isinstance(annotation, (str, type)) or "[" in str(annotation):
        text = str(annotation)
    parts = [part.strip() for part in text.split("|")]
    kinds = {"str": "text", "float": "number", "int": "whole number", "bool": "true or false", "None": "null"}
    shown = [
        kinds.get(part)
        or ("list" if part.startswith(("tuple", "list")) else "object" if "Mapping" in part else "values")
        for part in parts
    ]
    return " or ".join(shown)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
