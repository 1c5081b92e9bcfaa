r"""A report as one HTML file: templates, style and script stand in it, and it asks nothing of any network.

Every text from a run goes through jinja2's escaping, or as JSON in which `<` is written `\u003c`. A policy in the page
lets the browser run this page's own script alone, by its digest, so that a text which escaped all that would still be
no program.
"""

import base64
import hashlib
from collections.abc import Callable
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps

from nas.reports.layout import Layout
from nas.reports.page import words
from nas.reports.page.beside import Beside
from nas.reports.page.drawn import axis_of, block_labels, fate, score_groups, script_data
from nas.reports.page.tables import tables_of, told_scores
from nas.reports.page.values import ReportData

MARK: Final = '<meta name="generator" content="snapfusion-nas report">'  # by which a report knows its own kind
_FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "told_scores": told_scores,
    "lower_first": lambda text: text[:1].lower() + text[1:],
    "brief": lambda value: value if isinstance(value, int) else f"{value:.6g}",
    "chance": words.chance,
    "digits": lambda value, digits, signed=False: words.number(value, digits=digits, signed=signed),
    "duration": words.duration,
    "interval": words.interval,
    "many": words.many,
    "ms": words.milliseconds,
    "share": words.percent,
}


def render(
    data: ReportData, /, *, layout: Layout | None, refresh_s: int | None = None, beside: Beside | None = None
) -> str:
    """The page.

    Args:
        data: All that it says.
        layout: The drawing of the base model; its cells are `data.blocks` in order. None = there is no drawing.
        refresh_s: Seconds after which a browser loads the page again; None = it stays as it is.
        beside: The run beside others; None = it is compared with nothing.
    """
    names = {block.name: block.label for block in data.blocks}
    labels = block_labels(data, layout) if layout is not None and data.rounds else ()
    num_steps = {view.round: len(view.actions) for view in data.rounds}
    groups, score = score_groups(data), data.score.words
    modes = {"state": "what became of it"}
    if any(block.scored for block in data.blocks):
        modes |= {"lost": f"{score} lost", "saved": "ms saved", "value": f"{score} lost per ms"}
    script = _text("report.js")
    environment = _environment()
    environment.filters["action"] = partial(_action, names=names)
    return environment.get_template("report.html.j2").render(
        data=data,
        mark=MARK,
        layout=layout if labels else None,
        css=_text("report.css"),
        script=script,
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        script_data=htmlsafe_json_dumps(script_data(data, labels=labels, modes=modes) if labels else {}),
        refresh_s=refresh_s,
        beside=beside,
        block_ids={name: f"block-{index}" for index, name in enumerate(names)},
        block_labels=labels,
        fates=[fate(block, names=names, num_steps=num_steps) for block in data.blocks],
        modes=tuple(modes.items()),
        score_groups=groups,
        score_axis=axis_of(estimate for group in groups for *_, estimate in group.rows),
        difference_axis=axis_of((group.difference for group in groups if group.difference), around_zero=True),
        loss_axis=axis_of((each.loss for each in data.evaluations), by_means=True),
        latency_axis=max([view.latency_ms for view in data.rounds] + [data.numbers.target_latency_ms or 0.0, 1e-9])
        * 1.02,
        tables=tables_of(data),
    )


def _action(action: str, *, names: dict[str, str]) -> str:
    return words.action_label(action, names)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("nas.reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_FILTERS)
    return environment


@cache
def _text(name: str) -> str:
    """One of the files that stand in the page as they are."""
    text = (files("nas.reports.page") / "templates" / name).read_text(encoding="utf-8").strip()
    assert "</" not in text, f"{name} would end its element"
    return text
