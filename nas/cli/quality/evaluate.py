"""The command `nas evaluate`: curves of score and distances, of one or several models."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.screen.console import Screen, say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import MAX_SEED, Format, FormatOption
from nas.pipelines.source import is_hub_reference

if TYPE_CHECKING:
    from nas.curves.asked.settings import EvaluationSettings
    from nas.curves.points import Curves


@user_errors
def evaluate(
    folders: Annotated[
        list[str],
        typer.Argument(help="pipeline folders, exports, runs with an export, trainings, hub:ORG/NAME; or `shapes`"),
    ],
    out: Annotated[Path, typer.Option(help="folder of tables, figure and what was drawn; the same one goes on")] = Path(
        "evaluation"
    ),
    config: Annotated[
        Path | None,
        typer.Option(
            help="YAML with any of these settings, as `nas init --of evaluation` writes it; options are stronger",
            show_default=False,
        ),
    ] = None,
    captions: Annotated[
        Path | None, typer.Option(help="what to draw: a caption file, MS-COCO's JSON too (default: of --pictures)")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="real pictures with captions, as for training; without them there are scores alone"),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="folder of the pictures that a COCO JSON names")] = None,
    num_captions: Annotated[int | None, typer.Option(min=2, help="draw so many of the captions, by chance")] = None,
    clip: Annotated[
        str | None, typer.Option(help="OpenCLIP folder, NAME@TAG such as ViT-g-14@laion2b_s34b_b88k, or shapes")
    ] = None,
    score: Annotated[str | None, typer.Option(help="another score of pictures; `nas plugins` lists them")] = None,
    features: Annotated[
        str | None,
        typer.Option(help="of distances: OpenCLIP, a DINOv2 folder, a TorchScript Inception (default: --clip)"),
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="kid,cmmd,mind,fid,precision,recall (default: all with samples enough)")
    ] = None,
    steps: Annotated[str | None, typer.Option(help="denoising steps, such as 8,50 (default: 50)")] = None,
    guidance: Annotated[
        str | None, typer.Option(help="scales, such as 7.5 or 1:10.5:0.5, along which curves run (default: 7.5)")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="such as DDIMScheduler,UniPCMultistepScheduler (default: DDIMScheduler)")
    ] = None,
    baselines: Annotated[
        bool | None,
        typer.Option(help="draw by DPM-Solver++ and UniPC at 8, 4 and 2 steps too (default: yes)", show_default=False),
    ] = None,
    chunk_size: Annotated[int | None, typer.Option(min=1, help="pictures drawn at once (default: 16)")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=MAX_SEED, help="of noise and choice of captions")] = None,
    num_workers: Annotated[int | None, typer.Option(min=1, help="1 = this process; more = Ray actors")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:1 (default: cpu)")] = None,
    store: Annotated[
        Path | None, typer.Option(help="of what was drawn, for many evaluations (default: in OUT)")
    ] = None,
    plot: Annotated[str, typer.Option(help="figure in OUT: curves.svg, .png or .pdf; empty = none")] = "curves.svg",
    format: FormatOption = Format.TABLE,
) -> None:
    """Draw captions by one or several models, and say how well pictures show them and how real they look.

    CLIP score against KID, CMMD, MIND and, with samples enough, FID; every number with its
    interval and the name of its features. What is drawn is kept by content: a second call
    draws only what is new, and a call that was killed goes on.

    Examples: nas evaluate shapes --captions shapes --clip shapes --num-captions 64 --guidance 1:5:1
              nas evaluate runs/demo/export shapes --pictures real --clip shapes --steps 8,50
    """
    given = {
        "captions": captions, "pictures": pictures, "images": images, "num_captions": num_captions,
        "features": features, "baselines": baselines, "chunk_size": chunk_size, "seed": seed,
    }  # fmt: skip
    with Screen(stderr=True).status("loading libraries"):
        from nas.curves.asked.subjects import find_subject

        for folder in folders:
            if not is_hub_reference(folder):
                find_subject(folder)
        settings = _settings(
            given, config=config, clip=clip, score=score, metrics=metrics, steps=steps, guidance=guidance,
            scheduler=scheduler, num_workers=num_workers, device=device,
        )  # fmt: skip
        if plot:
            from latency.figures.canvas import check_picture

            check_picture(out / plot)
        from nas.cli.quality.evaluation_bar import EvaluationBar
        from nas.curves.evaluate import run_evaluation
    with EvaluationBar(Screen(stderr=True)) as bar:
        curves = run_evaluation(folders, settings=settings, out=out, store=store, on_standing=bar.show)
    if plot:
        from nas.curves.figure import curves_figure
        from nas.reports.writing import write_figure

        write_figure(curves_figure(curves), out / plot)
    if format is Format.JSON:
        say(json.dumps(curves.json(), indent=2))
        return
    _print_table(curves)
    num = len(curves.points)
    say(f"{num:,} row{'s' * (num != 1)}{' and a figure' * bool(plot)} -> {out}")


def _settings(given: dict[str, Any], *, config: Path | None, **typed: Any) -> "EvaluationSettings":
    """Settings of a file, on top of which stands what was typed."""
    from nas.curves.asked.ranges import numbers, whole_numbers
    from nas.curves.asked.reading import made_of, named, read_values

    values = read_values(config) if config is not None else {}
    texts = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    values |= {name: named(name, value) for name, value in texts.items() if value is not None}
    if (clip := typed["clip"]) is not None:
        clip = str(named("clip", clip))
        model, _, tag = clip.partition("@") if not Path(clip).is_dir() else (clip, "", "")
        values["clip"] = {"model": model} | ({"pretrained": tag} if tag else {})
    if (score := typed["score"]) is not None:
        values["score"] = {"name": score}
    for name, plural in (("metrics", "metrics"), ("scheduler", "schedulers")):
        if (text := typed[name]) is not None:
            values[plural] = [part.strip() for part in text.split(",") if part.strip()]
    if (text := typed["steps"]) is not None:
        values["steps"] = list(whole_numbers(text, name="--steps"))
    if (text := typed["guidance"]) is not None:
        values["guidance"] = list(numbers(text, name="--guidance"))
    for name, section, setting in (("num_workers", "workers", "num_workers"), ("device", "execution", "device")):
        if typed[name] is not None:
            values[section] = {**values.get(section, {}), setting: typed[name]}
    return made_of(values, name=str(config) if config is not None else "the evaluation")


def _print_table(curves: "Curves") -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from nas.curves.figure import SHORT
    from nas.metrics.registry import METRICS
    from nas.scores.labels import score_label

    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("model", "scheduler"):
        table.add_column(name, no_wrap=True)
    labels = [score_label(curves.score), *(METRICS[name].label for name in curves.metrics)]
    for name in ("steps", "guidance", "passes", *labels):
        table.add_column(name, justify="right", no_wrap=True)
    for point in curves.points:
        protocol = point.protocol
        table.add_row(
            point.model,
            SHORT[protocol.scheduler] + " *" * point.is_baseline,
            str(protocol.num_steps),
            f"{protocol.guidance_scale:g}",
            str(point.num_passes),
            *(_number(number.value, number.high - number.value) for number in point.numbers.values()),
        )
    screen = Screen()
    screen.print(table)
    screen.sentence(curves.told())
    if any(point.is_baseline for point in curves.points):
        screen.sentence("*: a baseline, which costs no training")
    for reason in curves.left_out:
        screen.sentence(f"left out: {reason}")


def _number(value: float, half: float) -> str:
    return f"{value:.4g} ± {half:.2g}" if half < float("inf") else f"{value:.4g}"
