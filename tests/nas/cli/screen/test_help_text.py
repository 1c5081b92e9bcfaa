"""Help fills the terminal: a docstring's line ends are not the reader's."""

from typer.testing import CliRunner

from nas.cli.app import app
from nas.cli.screen.help_text import filled


def test_a_paragraph_is_a_line_and_examples_stay_below_each_other() -> None:
    text = """Do one thing.

    Say it in
    two lines.

    Examples: nas one
              nas two
    """
    assert filled(text) == "Do one thing.\n\nSay it in two lines.\n\nExamples: nas one\n          nas two"
    assert filled(None) is None


def test_help_is_broken_where_the_terminal_ends() -> None:
    said = CliRunner().invoke(app, ["latency", "measure", "--help"], env={"COLUMNS": "200"}).output
    assert "in random order, with a reference kernel around every sample, so that a busy machine" in said
