"""docs/settings.md says what the classes say."""

from pathlib import Path

from typer.testing import CliRunner

from nas.cli.app import app
from nas.config.page import all_settings, page

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: nas settings --markdown > docs/settings.md"


def test_every_setting_is_on_it_once() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(all_settings()) == len({each.key for each in all_settings()})


def test_the_command_prints_the_page_and_tables() -> None:
    assert CliRunner().invoke(app, ["settings", "--markdown"]).stdout == page()
    shown = CliRunner().invoke(app, ["settings", "racing"], env={"COLUMNS": "200"}).stdout
    assert {each.key for each in all_settings() if each.key in shown} == {
        each.key for each in all_settings() if each.section == "racing"
    }
    refused = CliRunner().invoke(app, ["settings", "rating"])
    assert refused.exit_code == 2
