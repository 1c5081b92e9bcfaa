"""`nas settings`: every setting of an experiment, as a table or as the page docs/settings.md."""

from typing import Annotated

import typer

from nas.cli.errors import user_errors


@user_errors
def settings(
    section: Annotated[str | None, typer.Argument(help="only this section, such as search", show_default=False)] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="all of them, as docs/settings.md has them")] = False,
) -> None:
    """Every setting of an experiment: what it means, its default, and what its value must be.

    Example: nas settings search
    """
    from nas.config.page import all_settings, page

    if markdown:
        typer.echo(page(), nl=False)
        return
    known = all_settings()
    if section is not None and section not in (sections := {each.section for each in known if each.section}):
        raise typer.BadParameter(f"there is no section {section!r}; choose among {', '.join(sorted(sections))}")
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "default", "must be", "meaning", show_lines=False)
    for each in known:
        if section in (None, each.section):
            default = "(must be given)" if each.default is None else each.default
            law = f"{each.kind}, {each.law}" if each.law else each.kind
            table.add_row(*map(_plain, (each.key, default, law.replace("`", ""), each.description)))
    Console().print(table)


def _plain(cell: str) -> str:
    """Text whose brackets are no markup."""
    from rich.markup import escape

    return escape(cell)
