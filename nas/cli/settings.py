"""`nas settings`: every setting of an experiment or a distillation, as a table or as the page docs/settings.md."""

from enum import StrEnum
from typing import Annotated

import typer

from nas.cli.screen.console import Screen, say
from nas.cli.screen.errors import user_errors


class Of(StrEnum):
    """Which file's settings."""

    EXPERIMENT = "experiment"
    STEPS = "steps"
    DECODER = "decoder"


def documents() -> dict[Of, type]:
    """The files that have settings."""
    from nas.config.sections import ExperimentConfig
    from nas.distillation.decoder.settings import DecoderDistillationConfig
    from nas.distillation.steps.settings import StepDistillationConfig

    return {
        Of.EXPERIMENT: ExperimentConfig,
        Of.STEPS: StepDistillationConfig,
        Of.DECODER: DecoderDistillationConfig,
    }


@user_errors
def settings(
    section: Annotated[str | None, typer.Argument(help="only this section, such as search", show_default=False)] = None,
    of: Annotated[
        Of, typer.Option(help="an experiment, or what `nas distill steps` and `nas distill decoder` take")
    ] = Of.EXPERIMENT,
    markdown: Annotated[bool, typer.Option("--markdown", help="all of them, as a page")] = False,
) -> None:
    """Every setting of an experiment or a distillation: what it means, its default, and what its value must be.

    Example: nas settings search
    """
    from nas.config.page import all_settings, page

    kinds = documents()
    if markdown:
        others = {f"Settings of `nas distill {each}`": kinds[each] for each in (Of.STEPS, Of.DECODER)}
        say(page(others).removesuffix("\n"))
        return
    known = all_settings(kinds[of])
    if section is not None and section not in (sections := {setting.section for setting in known if setting.section}):
        raise typer.BadParameter(f"there is no section {section!r}; choose among {', '.join(sorted(sections))}")
    from rich.table import Table

    table = Table(show_lines=False)
    for name in ("setting", "default", "must be", "meaning"):
        table.add_column(name, no_wrap=name == "setting")
    for setting in known:
        if section in (None, setting.section):
            default = "(must be given)" if setting.default is None else setting.default
            law = f"{setting.kind}, {setting.law}" if setting.law else setting.kind
            table.add_row(setting.key, default, law.replace("`", ""), setting.description)
    Screen().print(table)
