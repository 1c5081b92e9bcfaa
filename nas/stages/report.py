"""The pipeline's page: the paper's tables of parameters, times and scores for this machine, before and after."""

import json
import platform
from pathlib import Path
from typing import Any, Final

from latency.backends.host import host_processor
from nas.pipelines.model_folder import ModelFolder
from nas.stages.outcome import Outcome
from nas.stages.settings import FOLDER, PipelineSettings, StageKind
from nas.stages.times import PARTS, PartTimes
from search_spaces.files.durable.writing import whole, write_text
from search_spaces.files.strict_json import read_json_object

PAGE: Final = "report.md"
NUMBERS: Final = "report.json"


def write_report(
    settings: PipelineSettings,
    outcomes: dict[str, Outcome],
    /,
    *,
    times: dict[str, PartTimes],
    base: ModelFolder,
    out: Path,
) -> Path:
    """Write report.md and report.json, and the evaluation's figure beside them.

    Returns:
        The page.

    Raises:
        StorageError: The disk refuses.
    """
    where = f"{host_processor()}, {settings.report.threads} thread{'s'[: settings.report.threads > 1]}, torch eager"
    evaluations = {name: outcomes[name] for name in settings.stages if settings.kind(name) is StageKind.EVALUATION}
    lines = [
        "# From the base model to the last folder",
        "",
        f"Base model: {base.name}. Last folder: `{FOLDER}`. Measured on {where} ({platform.system()}), one picture, "
        "both models in the same interleaved rounds; medians.",
        "",
        *_times(times),
        "",
        *_stages(settings, outcomes),
    ]
    for name, outcome in evaluations.items():
        figure = _figure(outcome.folder, out / f"{name}.svg")
        lines += ["", *_scores(name, outcome.folder)]
        lines += ["", f"![{name}]({figure.name})"] if figure is not None else []
    write_text(out / PAGE, "\n".join(lines) + "\n")
    write_text(out / NUMBERS, json.dumps(_numbers(times, outcomes, where), indent=2) + "\n")
    return out / PAGE


def _times(times: dict[str, PartTimes]) -> list[str]:
    """The paper's Table 1, turned: a row per part."""
    before, after = times["before"], times["after"]
    lines = [
        "## What a picture costs",
        "",
        "| part | parameters before | after | ms before | after | times faster |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for part in PARTS:
        one, other = before.times[part].median_ms, after.times[part].median_ms
        lines.append(
            f"| {part} | {_millions(before.num_params[part])} | {_millions(after.num_params[part])} | {one:,.2f} | "
            f"{other:,.2f} | {one / other:.2f} |"
        )
    rows = (
        ("steps", before.num_steps, after.num_steps, ",d"),
        ("all steps", before.denoising_ms, after.denoising_ms, ",.1f"),
        ("**a picture**", before.total_ms, after.total_ms, ",.1f"),
    )
    lines += [f"| {name} | | | {one:{form}} | {other:{form}} | {one / other:.2f} |" for name, one, other, form in rows]
    return lines


def _stages(settings: PipelineSettings, outcomes: dict[str, Outcome]) -> list[str]:
    lines = ["## Stages", "", "| stage | kind | seconds | content |", "|---|---|---:|---|"]
    for name, outcome in outcomes.items():
        lines.append(f"| {name} | {settings.kind(name)} | {outcome.seconds:,.0f} | `{outcome.digest}` |")
    return lines


def _scores(name: str, folder: Path) -> list[str]:
    """The paper's Table 4: score and distances, a row per model and way to draw."""
    said = read_json_object(folder / "curves.json")
    points: list[dict[str, Any]] = said["points"]
    columns = [said["score"], *(each for each in ("kid", "cmmd", "mind", "fid") if each in points[0])]
    lines = [
        f"## Pictures: {name}",
        "",
        f"| model | scheduler | steps | guidance | UNet passes | {' | '.join(columns)} |",
        f"|---|---|---:|---:|---:|{'---:|' * len(columns)}",
    ]
    for point in points:
        star = " (baseline)" * point["baseline"]
        numbers = " | ".join(_with_interval(point, column) for column in columns)
        lines.append(
            f"| {point['model']} | {point['scheduler']}{star} | {point['steps']} | {point['guidance']:g} | "
            f"{point['unet_passes']} | {numbers} |"
        )
    real = f", {points[0]['num_real']} real ones, features {said['features']}" if said["features"] else ""
    return [*lines, "", f"{points[0]['num_pictures']} pictures a row{real}; 95 % intervals."]


def _with_interval(point: dict[str, Any], column: str) -> str:
    value, high = point[column], point[f"{column}_high"]
    return f"{value:.4g}" if high is None else f"{value:.4g} ± {high - value:.2g}"


def _figure(folder: Path, path: Path) -> Path | None:
    """The evaluation's figure, copied; None where there is none, as without matplotlib."""
    if not (folder / "curves.svg").is_file():
        return None
    with whole(path) as part:
        part.write_bytes((folder / "curves.svg").read_bytes())
    return path


def _millions(count: int) -> str:
    return f"{count / 1e6:,.2f} M"


def _numbers(times: dict[str, PartTimes], outcomes: dict[str, Outcome], where: str) -> dict[str, Any]:
    return {
        "where": where,
        "times": {
            name: {
                "num_steps": each.num_steps,
                "num_params": dict(each.num_params),
                "median_ms": {part: each.times[part].median_ms for part in PARTS},
                "p10_ms": {part: each.times[part].p10_ms for part in PARTS},
                "p90_ms": {part: each.times[part].p90_ms for part in PARTS},
                "denoising_ms": each.denoising_ms,
                "total_ms": each.total_ms,
            }
            for name, each in times.items()
        },
        "stages": {name: {"seconds": each.seconds, "digest": each.digest} for name, each in outcomes.items()},
    }
