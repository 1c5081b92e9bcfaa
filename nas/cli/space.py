"""`nas space show | diff | known`: what may be removed or copied in a model, and what others made of it."""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.latency.options import MaxCopiesOption
from nas.cli.screen.console import Screen, say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import Format, FormatOption
from search_spaces.unets.space import DEFAULT_MAX_COPIES
from search_spaces.unets.stock_space import SpaceForm

if TYPE_CHECKING:
    from search_spaces import Architecture, UNetSpace

app = typer.Typer(no_args_is_help=True, help="What may be removed or copied in a model, and how architectures differ.")


ModelArgument = Annotated[
    str, typer.Argument(help="pipeline or UNet folder, ours or stock, or a name such as sd-1.5 or bk-sdm-tiny")
]


@app.command("show")
@user_errors
def show(
    model: ModelArgument,
    spec: Annotated[str | None, typer.Option(help="show this architecture of it: a spec, folder or name")] = None,
    space: Annotated[
        SpaceForm, typer.Option(help="stock: only actions that a stock diffusers config can follow")
    ] = SpaceForm.ANY,
    max_copies: MaxCopiesOption = DEFAULT_MAX_COPIES,
    latency_table: Annotated[Path | None, typer.Option(help="add milliseconds by this table")] = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Stages and positions of a model: what may be removed or copied, what it costs, and why not."""
    from nas.references.architecture import own_architecture, read_architecture
    from nas.references.base_model import base_of
    from search_spaces.unets.diffusers_config import space_from_config
    from search_spaces.unets.view import describe_space

    base = base_of(model)
    architecture = read_architecture(spec, base=base) if spec is not None else own_architecture(model, base=base)
    form = space_from_config(base.config, max_copies=max_copies, form=space)
    described = describe_space(form, architecture, context_tokens=base.context_tokens)
    if latency_table is not None:
        _add_milliseconds(described, latency_table, form, architecture)
    if format is Format.JSON:
        say(json.dumps(described, indent=2))
        return
    _print_space(model, described, with_reasons=space is SpaceForm.ANY)
    if space is SpaceForm.STOCK:
        for action in described["removals"]:
            say(f"  {action}")


@app.command("diff")
@user_errors
def diff(
    before: ModelArgument,
    after: Annotated[str, typer.Argument(help="a run, spec, folder (ours or stock) or name")],
    base: Annotated[
        str | None, typer.Option(help="base model of both (default: what BEFORE is, or what a named one came from)")
    ] = None,
    latency_table: Annotated[Path | None, typer.Option(help="add milliseconds by this table")] = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Which blocks tell two architectures apart, with parameters, MACs and milliseconds that add up.

    Examples: nas space diff sd-1.5 bk-sdm-small
              nas space diff models/sd15 runs/mine --latency-table tables/phone.json
    """
    from latency.documents.shipped import read_latency_table
    from latency.pricing.difference import architecture_diff
    from nas.references.architecture import own_architecture, read_architecture
    from nas.references.base_model import base_model, origin_of

    model = base_model(base) if base is not None else origin_of(before)
    start = read_architecture(before, base=model) if base is not None else own_architecture(before, base=model)
    table = read_latency_table(latency_table) if latency_table is not None else None
    difference = architecture_diff(
        start,
        read_architecture(after, base=model),
        space=model.space,
        table=table,
        context_tokens=model.context_tokens,
    )
    if format is Format.JSON:
        say(json.dumps(difference, indent=2))
        return
    _print_diff(f"{before} -> {after}", difference)


@app.command("known")
@user_errors
def known(
    format: FormatOption = Format.TABLE,
    markdown: Annotated[bool, typer.Option("--markdown", help="as a table for a document")] = False,
) -> None:
    """Models with a name: their blocks, removals, parameters and multiply-accumulates."""
    from search_spaces.known.listing import COLUMNS, known_models, markdown_table

    models = known_models()
    if markdown:
        say(markdown_table(models))
        return
    if format is Format.JSON:
        say(json.dumps(models, indent=2))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for key, title in COLUMNS.items():
        words = {"num_cross_attentions": "attn", "num_resnets": "res", "num_params": "params"}
        table.add_column(words.get(key, title), justify="left" if key in ("name", "base") else "right", overflow="fold")
    for model in models:
        shown = model | {
            "num_params": f"{model['num_params'] / 1e6:,.0f} M",
            "num_macs": f"{model['num_macs'] / 1e9:,.0f} G",
        }
        table.add_row(*(str(shown[key]) for key in COLUMNS))
    console = Screen()
    console.print(table)
    console.sentence(f"MACs at {models[0]['context_tokens']} text tokens")


def _print_diff(title: str, difference: dict[str, Any]) -> None:
    has_ms = difference["before"].get("ms") is not None
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    columns = ("stage", "position", "res", "attn", "params", "MACs", *(("ms",) if has_ms else ()))
    for column in columns:
        table.add_column(column, justify="left" if column in ("stage", "position") else "right", no_wrap=True)

    def costs(row: dict[str, Any], sign: str = "+") -> list[str]:
        cells = [f"{row['num_params'] / 1e6:{sign},.3f} M", f"{row['num_macs'] / 1e9:{sign},.3f} G"]
        return [*cells, f"{row['ms']:{sign},.3f}"] if has_ms else cells

    def gene(row: dict[str, Any], key: str) -> str:
        before, after = (row[side][key] if row[side] is not None else "gone" for side in ("before", "after"))
        return "" if before == after else f"{before} -> {after}"

    for row in difference["positions"]:
        place = f"{row['place']}[{row['position']}]"
        table.add_row(row["paper_stage"], place, gene(row, "resnets"), gene(row, "cross_attentions"), *costs(row))
    if any(difference["other"][key] for key in ("num_params", "num_macs", "ms") if difference["other"][key]):
        table.add_row("", "samplers, stem, tail", "", "", *costs(difference["other"]))
    table.add_section()
    table.add_row("", "together", "", "", *costs(difference["together"]))
    table.add_row("", "before", *_blocks(difference["before"]), *costs(difference["before"], ""))
    table.add_row("", "after", *_blocks(difference["after"]), *costs(difference["after"], ""))
    console = Screen()
    console.print(table)
    console.sentence(f"MACs at {_sizes(difference)}")
    for action in difference["actions"]:
        console.sentence(f"  {action}", style="dim")


def _sizes(described: dict[str, Any]) -> str:
    """What MACs are counted at."""
    height, width, tokens = (described[key] for key in ("latent_height", "latent_width", "context_tokens"))
    return f"{height}x{width} latents, {tokens} text tokens"


def _blocks(side: dict[str, Any]) -> tuple[str, str]:
    return str(side["num_resnets"]), str(side["num_cross_attentions"])


def _print_space(name: str, described: dict[str, Any], *, with_reasons: bool) -> None:
    title = f"{name}: {described['num_removals']} removals, {described['num_copies']} copies"
    has_ms = "ms" in described
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    costs = ("params", "MACs", *(("ms",) if has_ms else ()))
    for column in ("stage", "position", "size", "channels", "res", "attn", *costs, "can go"):
        table.add_column(column, justify="left" if column in ("stage", "position", "can go") else "right", no_wrap=True)
    reasons = []
    for stage in described["stages"]:
        for position in stage["positions"]:
            removable = [
                word
                for word, key in (("R", "resnet"), ("A", "cross_attention"))
                if position[f"{key}_removable"]["possible"]
            ]
            table.add_row(
                stage["paper_stage"],
                f"{stage['place']}[{position['position']}]",
                f"{stage['height']}x{stage['width']}",
                str(stage["channels"]),
                str(position["resnets"]),
                str(position["cross_attentions"]),
                f"{position['num_params'] / 1e6:.2f} M",
                f"{macs / 1e9:.2f} G" if (macs := position["num_macs"]) >= 1e9 else f"{macs / 1e6:.2f} M",
                *([f"{position['ms']:.3f}"] if has_ms else []),
                " ".join(removable),
            )
            if with_reasons:
                reasons += [position[f"{kind}_copyable"]["why_not"] or "" for kind in ("resnet", "cross_attention")]
        table.add_section()
    console = Screen()
    console.print(table)
    console.sentence(
        f"{described['num_cross_attentions']} cross-attentions, {described['num_resnets']} ResNets, "
        f"{described['num_params']:,} parameters, {described['num_macs'] / 1e9:,.3f} GMACs "
        f"({_sizes(described)})" + (f", {described['ms']:.3f} ms" if has_ms else "")
    )
    for line in _together(filter(None, reasons)):
        console.sentence(f"  {line}", style="dim")


def _together(reasons: Iterable[str]) -> Iterator[str]:
    """A line for all refusals of one law: the first of them, and the names of the others."""
    groups: dict[str, list[str]] = {}
    for reason in reasons:
        law = re.sub(r"\d+", "#", reason.partition(":")[2])
        groups.setdefault(law, []).append(reason)
    for first, *others in groups.values():
        names = ", ".join(reason.partition(" ")[0] for reason in others)
        yield f"{first}; likewise {names}" if names else first


def _add_milliseconds(
    described: dict[str, Any], latency_table: Path, space: "UNetSpace", architecture: "Architecture"
) -> None:
    """What every position costs by a table, at the table's sizes; in place."""
    from latency import check_workload, read_latency_table

    table = read_latency_table(latency_table)
    check_workload(table, space=space, **table.workload.sizes)
    prediction = table.predict(space.sites(architecture, **table.workload.sizes))
    ms: dict[tuple[str, int], float] = {}
    for block in prediction.breakdown:
        ms[block.stage, block.position] = ms.get((block.stage, block.position), 0.0) + block.ms
    described["ms"] = prediction.total_ms
    for stage in described["stages"]:
        for position in stage["positions"]:
            position["ms"] = ms.get((stage["place"], position["position"]), 0.0)
