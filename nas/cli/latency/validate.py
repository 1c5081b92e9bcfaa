"""`nas latency validate`: what is wrong with a table."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latency.blocks.models import latency_model
from nas.cli.latency.options import MaxCopiesOption
from nas.cli.screen.console import say
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import FindingsFormat
from search_spaces.unets.space import DEFAULT_MAX_COPIES

if TYPE_CHECKING:
    from latency.trust.validation import Validation


PROBLEMS_CODE = 1


@user_errors
def validate(
    table: Annotated[Path, typer.Argument(help="latency table (JSON), or the name of a shipped one")],
    model: Annotated[
        Path | None, typer.Option(help="model folder: does the table price all that a search over it can ask for?")
    ] = None,
    max_copies: MaxCopiesOption = DEFAULT_MAX_COPIES,
    format: Annotated[FindingsFormat, typer.Option(help="JSON is a stable interface")] = FindingsFormat.TEXT,
) -> None:
    """Say everything that is wrong with a latency table, and how far to trust it. Exit code 1 = there are problems.

    Example: nas latency validate s24.json --model models/sd15
    """
    from latency import find_table
    from latency.trust.validation import validate as validated
    from search_spaces import space_from_config

    file = find_table(table)
    space = space_from_config(latency_model(model).config, max_copies=max_copies) if model is not None else None
    found = validated(file.read_bytes(), space=space)
    if format is FindingsFormat.JSON:
        findings = [asdict(finding) for finding in found.findings]
        say(json.dumps({"table": str(table), "is_good": found.is_good, "findings": findings}, indent=2))
    else:
        say(f"{table}: {'good' if found.is_good else 'has problems'}")
        print_findings(found)
    if not found.is_good:
        raise typer.Exit(PROBLEMS_CODE)


def print_findings(found: "Validation", /) -> None:
    """Say what a check found, a line each."""
    for finding in found.findings:
        say(f"{finding.level}: {finding.about}: {finding.message}")
