"""What an evaluation says of a figure's claims, and the page of all figures: the paper's direction beside ours."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from experiments.ablations.plan import Ablations, Claim, Figure
from nas.curves.points import Curves
from nas.metrics.estimate import Estimate, difference
from search_spaces.files.durable.writing import write_text

CLAIMS: Final = "claims.csv"
_UNITS: Final = {"clip": ("CLIP", 1), "kid": ("1,000 KID", 1000)}


def best(curves: Curves, model: str, /, *, by: str) -> tuple[Estimate, float]:
    """The best number of a model over guidance scales, and the scale: the highest CLIP score, the lowest KID."""
    points = [point for point in curves.points if point.model == model]
    sign = 1 if by == curves.score else -1
    found = max(points, key=lambda point: sign * point.numbers[by].value)
    return found.numbers[by], found.protocol.guidance_scale


def judged(claim: Claim, curves: Curves, /) -> dict[str, object]:
    """A row: how much better the one is than the other, each at its best guidance, and what that says of the claim."""
    (better, at), (than, other_at) = (best(curves, name, by=claim.by) for name in (claim.better, claim.than))
    ahead = difference(better, than) if claim.by == curves.score else difference(than, better)
    return {
        "paper": claim.paper,
        "by": claim.by,
        "better": claim.better,
        "than": claim.than,
        "better_value": better.value,
        "than_value": than.value,
        "better_guidance": at,
        "than_guidance": other_at,
        "ahead": ahead.value,
        "low": ahead.low,
        "high": ahead.high,
        "verdict": verdict(ahead, margin=claim.margin),
    }


def verdict(ahead: Estimate, /, *, margin: float) -> str:
    """Whether an interval lies above minus the margin, below it, or on both sides."""
    return "agrees" if ahead.low > -margin else "contradicts" if ahead.high < -margin else "open"


def write_figure_tables(figure: Figure, curves: Curves, /, *, folder: Path) -> None:
    """The claims of a figure that was evaluated, beside its curves."""
    write_text(folder / CLAIMS, pd.DataFrame([judged(claim, curves) for claim in figure.claims]).to_csv(index=False))


def write_page(ablations: Ablations, /, *, out: Path) -> str:
    """Write OUT/ablations.csv, the curves of all figures that there are, and OUT/ablations.md; give the latter."""
    done = [name for name in ablations.figures if (out / name / CLAIMS).is_file()]
    curves = [pd.read_csv(out / name / "curves.csv").assign(figure=name) for name in done]
    if curves:
        write_text(out / "ablations.csv", pd.concat(curves).to_csv(index=False))
    parts = [_section(name, figure, out=out) for name, figure in ablations.figures.items()]
    page = "\n\n".join(parts) + "\n"
    write_text(out / "ablations.md", page)
    return page


def _section(name: str, figure: Figure, /, *, out: Path) -> str:
    lines = [f"### {name}: {figure.asks}", ""]
    if not (out / name / CLAIMS).is_file():
        return "\n".join([*lines, f"Not run: `python -m experiments.ablations {name} --out runs/ablations`."])
    lines += ["| the paper | ours, each at its best guidance | ahead by | |", "|---|---|---|---|"]
    lines += [_row(row) for row in pd.read_csv(out / name / CLAIMS).to_dict("records")]
    return "\n".join(lines)


def _row(row: Mapping[Hashable, Any], /) -> str:
    unit, times = _UNITS[row["by"]]
    value, guidance = ({who: row[f"{who}_{what}"] for who in ("better", "than")} for what in ("value", "guidance"))
    cases = ", ".join(f"{row[who]} {times * value[who]:.3f} at {guidance[who]:g}" for who in value)
    ahead, low, high = (f"{times * row[name]:+.3f}" for name in ("ahead", "low", "high"))
    return f"| {row['paper']} | {unit}: {cases} | {ahead} [{low}, {high}] | {row['verdict']} |"
