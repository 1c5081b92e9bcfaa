"""`nas plugins`: what stands behind every door, ours and what other distributions bring."""

import json

from rich.box import SIMPLE_HEAD
from rich.table import Table

from nas.cli.screen.console import Screen, say, styled
from nas.cli.screen.errors import user_errors
from nas.cli.screen.formats import Format, FormatOption


@user_errors
def plugins(format: FormatOption = Format.TABLE) -> None:
    """List search algorithms, scores, latency sources, backends and importers, with where they come from.

    What another installed distribution puts behind a door is used by its name like ours. One that is
    broken is named with what is wrong; everything else works without it.
    """
    from latency.backends.registry import backend_door
    from latency.importers.registry import importer_door
    from latency.sources.registry import source_door
    from nas.config.algorithms import algorithm_door
    from nas.evaluation.registry import score_door

    rows = [
        {
            "kind": door.noun,
            "name": listed.name,
            "from": listed.origin or "snapfusion-nas",
            "about": listed.about,
            "problem": listed.problem,
        }
        for door in (algorithm_door(), score_door(), source_door(), backend_door(), importer_door())
        for listed in door.listed()
    ]
    if format is Format.JSON:
        say(json.dumps(rows, indent=2))
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in ("kind", "name", "from", "about"):
        table.add_column(name, overflow="fold", no_wrap=name == "kind")
    for row in rows:
        about = styled(f"BROKEN: {row['problem']}", "red") if row["problem"] else row["about"]
        table.add_row(row["kind"], row["name"], row["from"], about)
    Screen().print(table)
