"""docs/settings.md says what the classes say."""

from pathlib import Path

from typer.testing import CliRunner

from nas.cli.app import app
from nas.cli.settings import Of, documents
from nas.config.page import all_settings, page

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_is_current() -> None:
    whole = CliRunner().invoke(app, ["settings", "--markdown"]).stdout
    assert whole.startswith(page())
    assert PAGE.read_text(encoding="utf-8") == whole, "run: nas settings --markdown > docs/settings.md"


def test_every_setting_of_a_distillation_is_on_it_too() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for of, title in ((Of.STEPS, "steps"), (Of.DECODER, "decoder")):
        part = text.partition(f"# Settings of `nas distill {title}`\n")[2].partition("\n# ")[0]
        rows = [line for line in part.splitlines() if line.startswith("| `")]
        assert len(rows) == len(all_settings(documents()[of])) > 20
    shown = CliRunner().invoke(app, ["settings", "loss", "--of", "steps"], env={"COLUMNS": "200"}).stdout
    assert "loss.cfg_probability" in shown


def test_every_setting_is_on_it_once() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(all_settings()) == len({each.key for each in all_settings()})


def test_the_command_prints_tables() -> None:
    shown = CliRunner().invoke(app, ["settings", "racing"], env={"COLUMNS": "200"}).stdout
    assert {each.key for each in all_settings() if each.key in shown} == {
        each.key for each in all_settings() if each.section == "racing"
    }
    refused = CliRunner().invoke(app, ["settings", "rating"])
    assert refused.exit_code == 2
