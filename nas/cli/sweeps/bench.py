"""`nas bench`: search algorithms compared on recorded scores, in seconds and without a model."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.screen.console import Screen, say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import Format, FormatOption
from search_spaces.files.durable.writing import write_text
from search_spaces.files.replacing import check_replaceable
from search_spaces.files.strict_yaml import YamlError, parse_yaml
from search_spaces.files.user_error import UserError

if TYPE_CHECKING:
    from nas.tabular.benchmark import Benchmark

AT: Final = (25, 50, 100, 200)
FRONT_AT: Final = 100


@user_errors
def bench(
    algorithms: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ALGORITHM...",
            help="names, as `nas plugins` lists them; with settings as name:{setting: value}",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        str, typer.Option(help="tabular benchmark: a parquet file, or shapes, which is bundled")
    ] = "shapes",
    num_seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=100_000, help="searches of each, with seeds from 0 on")
    ] = 10,
    target_ratio: Annotated[
        float | None,
        typer.Option(min=0.01, max=1, help="latency limit as a share of the base's (default: half may stay)"),
    ] = None,
    num_prompts: Annotated[
        int | None, typer.Option(min=1, help="prompts of each score; fewer = noisier, judged by all")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file of all courses")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="picture of regret and front against passes: .png, .svg or .pdf")
    ] = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Compare search algorithms on recorded scores: regret against evaluations and passes, over seeds.

    A benchmark holds the score of every architecture of a small sub-space, so that a search is looked up
    instead of drawn, and the best architecture is known. Regret is how much better that one is than the
    best one that an algorithm has found. The front is the hypervolume of all that was scored, in latency
    and score, as a share of what scoring everything gives.

    Example: nas bench local_search knapsack "regularized_evolution:{population_size: 10}" --seeds 20
    """
    from nas.reports.exporting.tables import is_table
    from nas.tabular.comparing import FIRST_COLUMN, courses, summary
    from nas.tabular.files import read_benchmark

    if out is not None:
        check_replaceable(out, partial(is_table, first=FIRST_COLUMN), kind="a table of searches")
    if plot is not None:
        from latency.figures.canvas import check_picture

        check_picture(plot)
    benchmark = read_benchmark(table)
    if num_prompts is not None and num_prompts > benchmark.num_prompts:
        raise UserError(
            f"`--num-prompts` must be at most the {benchmark.num_prompts} prompts of {benchmark.name}, but is "
            f"{num_prompts}"
        )
    made = dict(map(_made, algorithms or _ours()))
    target_ms = None if target_ratio is None else target_ratio * float(benchmark.latency_ms[0])
    with Screen(stderr=True).status("searching") as status:
        frame = courses(
            benchmark,
            made,
            seeds=range(num_seeds),
            target_ms=target_ms,
            num_prompts=num_prompts,
            on_search=lambda done, total: status.update(f"{done} of {total} searches"),
        )
    rows = summary(frame, at=AT)
    if out is not None:
        write_text(out, frame.to_csv(index=False))
        say(f"{len(frame):,} rows -> {out}") if format is Format.TABLE else None
    if plot is not None:
        _draw(frame, plot, benchmark=benchmark)
    if format is Format.JSON:
        say(
            json.dumps(
                {"benchmark": _about(benchmark), "algorithms": json.loads(rows.to_json(orient="records"))}, indent=2
            )
        )
        return
    about = _about(benchmark)
    say(f"{benchmark.name}: {about['size']:,} architectures of {benchmark.model}; {benchmark.num_prompts} prompts each")
    Screen().print(_table(rows.to_dict(orient="records"), score=benchmark.score))
    if plot is not None:
        say(f"regret and front against passes -> {plot}")


def _made(text: str) -> tuple[str, Any]:
    """An algorithm by its name, with settings behind a colon.

    Raises:
        UserError: There is none of that name, or it cannot have these settings.
    """
    from nas.algorithms.settings import EVOLVING
    from nas.config.algorithms import OURS, make_algorithm
    from nas.config.sections import SearchConfig
    from nas.settings import read

    name, _, given = text.partition(":")
    if not given and name in set(OURS) - set(_ready()):
        raise UserError(
            f"`nas bench` compares algorithms that search by themselves, but {name} needs what another search found; "
            f"choose among {', '.join(_ready())}, or a plugin's"
        )
    try:
        settings = parse_yaml(given, name=f"settings of {name}") or {}
    except YamlError as error:
        raise UserError(f"{error}; they are written like {name}:{{batch_size: 4}}") from error
    if not isinstance(settings, dict):
        raise UserError(f"settings of {name} are written like {name}:{{batch_size: 4}}, but got {given!r}")
    own = settings if name == EVOLVING else {"settings": settings}
    search = read(SearchConfig, {"algorithm": name, "target_ratio": 0.5, **own}, name=text)
    return text, make_algorithm(search)


def _ours() -> list[str]:
    """Ours, but those that need settings, such as what to rank again, and those whose libraries are not here."""
    from importlib.util import find_spec

    return [name for name in _ready() if name != "optuna_search" or find_spec("optuna") is not None]


def _ready() -> list[str]:
    """Ours, but those that need settings."""
    from nas.config.algorithms import OURS
    from nas.settings import described

    return [name for name, kind in OURS.items() if not any(f.is_required() for f in described(kind.settings).values())]


def _about(benchmark: "Benchmark") -> dict[str, Any]:
    return {
        "name": benchmark.name,
        "model": benchmark.model,
        "protocol": benchmark.protocol,
        "score": benchmark.score,
        "size": benchmark.size,
        "num_prompts": benchmark.num_prompts,
        "passes_per_evaluation": benchmark.num_prompts * benchmark.passes_per_prompt,
    }


def _table(rows: list[dict[Any, Any]], *, score: str) -> Table:
    table = Table(
        box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, caption=f"regret in {score}, mean ± deviation"
    )
    for column in (
        "algorithm",
        *(f"after {num}" for num in AT),
        f"front at {FRONT_AT}",
        "best found",
        "after",
        "scored",
    ):
        table.add_column(column, justify="left" if column == "algorithm" else "right", overflow="fold")
    for row in rows:
        exact = row["evaluations_exact"]
        table.add_row(
            row["algorithm"],
            *(f"{row[f'regret_{num}']:.4f} ± {row[f'spread_{num}']:.4f}" for num in AT),
            f"{row[f'volume_{FRONT_AT}']:.1%}",
            f"{row['share_exact']:.0%}",
            "" if exact != exact else f"{exact:.0f}",
            str(row["evaluations"]),
        )
    return table


def _draw(frame: Any, path: Path, *, benchmark: "Benchmark") -> None:
    from nas.reports.regret import regret_figure
    from nas.reports.writing import write_figure

    title = f"{benchmark.name}: the best of {benchmark.size:,} architectures"
    write_figure(regret_figure(frame, title=title, score=benchmark.score), path)
