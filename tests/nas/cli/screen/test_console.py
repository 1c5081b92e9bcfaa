"""What reaches a terminal: names from data are shown as they are spelled, and obeyed by nobody."""

import ast
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from typer.testing import CliRunner

import nas.cli
from nas.cli.screen.console import CheckedOutput, OutputError, Screen, in_one_line, say, speakable, styled
from nas.cli.screen.errors import user_errors

EVIL = "a[/x][bold]b[/bold][link=https://e.example]c[/link] :smile: \x1b]0;title\x07\x1b[31m\x9b2J\u202egpj.exe"
SPELLED = "a[/x][bold]b[/bold][link=https://e.example]c[/link] :smile: \\x1b]0;title\\x07\\x1b[31m\\x9b2J\\u202egpj.exe"


def shown(what: Any) -> str:
    """What a screen of 200 columns that is no terminal gets."""
    screen = Screen()
    screen.width = 200
    return shown_by(screen, what)


def test_names_are_shown_and_not_obeyed_in_sentences_and_in_every_part_of_a_table() -> None:
    assert shown(EVIL).strip() == SPELLED
    for title, header, cell in ((EVIL, "h", "c"), ("t", EVIL, "c"), ("t", "h", EVIL), ("t", "h", styled(EVIL, "red"))):
        table = Table(title=title, min_width=150)
        table.add_column(header, no_wrap=True)
        table.add_row(cell)
        assert SPELLED in shown(table)


def test_a_file_or_a_pipe_gets_tables_whole_and_a_terminal_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    table = Table("name")
    table.add_row("x" * 300)
    assert "x" * 300 in shown_by(Screen(), table)
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(len, shown_by(Screen(), table).splitlines())) <= 40


def shown_by(screen: Screen, what: Any) -> str:
    screen.file = io.StringIO()
    screen.print(what)
    return str(screen.file.getvalue())


@given(text=st.text())
def test_what_is_said_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    said = speakable(text)
    assert all(char.isprintable() or char in "\n\t" or not char.isascii() for char in said)
    said.encode("utf-8")
    assert len(in_one_line(text).splitlines()) <= 1 or "\n" not in in_one_line(text)
    assert speakable(said) == said


def test_a_name_with_line_ends_is_one_line() -> None:
    assert in_one_line("s24\nerror: all is lost\r") == "s24\\nerror: all is lost\\r"


def test_an_error_and_a_warning_spell_what_a_terminal_would_obey() -> None:
    app = typer.Typer()

    @app.command()
    @user_errors
    def command() -> None:
        say("named \x1b[2J")
        raise FileNotFoundError("there is no \x1b[2J")

    result = CliRunner().invoke(app, [])
    assert (result.stdout, result.stderr) == ("named \\x1b[2J\n", "error: there is no \\x1b[2J\n")


def test_nothing_in_the_command_line_prints_but_through_the_screen() -> None:
    strangers = []
    for path in sorted(Path(nas.cli.__file__).parent.rglob("*.py")):
        if path.name == "console.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.ImportFrom(module="rich.console" | "rich" | "click"):
                    strangers.append(f"{path.name}: {ast.unparse(node)}")
                case ast.Call(func=ast.Name(id="print") | ast.Attribute(attr="echo" | "secho")):
                    strangers.append(f"{path.name}: {ast.unparse(node)}")
                case ast.Call(func=ast.Name(id="TextColumn"), keywords=keywords):
                    if not any(keyword.arg == "markup" for keyword in keywords):
                        strangers.append(f"{path.name}: {ast.unparse(node)}")
    assert not strangers, "use nas.cli.screen.console"


class Full(io.StringIO):
    """A disk that is full."""

    def write(self, text: str, /) -> int:
        raise OSError(28, "No space left on device")


def test_an_output_that_is_full_is_not_taken_for_the_disk_of_a_run() -> None:
    with pytest.raises(OutputError, match="standard output does not take what is said: No space left on device"):
        CheckedOutput(Full()).write("x")


def test_a_reader_that_has_gone_stays_what_it_was() -> None:
    class Gone(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        CheckedOutput(Gone()).flush()


def said_to(output: str) -> tuple[int, str]:
    """Exit code and errors of `nas settings` with standard output led somewhere by the shell."""
    command = f"exec {sys.executable} -m nas settings search {output}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_output_is_one_line_and_code_2_and_a_closed_one_no_error() -> None:
    code, errors = said_to(">/dev/full")
    assert code == 2
    assert errors.startswith("error: standard output does not take what is said: No space left on device")
    assert len(errors.splitlines()) == 1
    assert said_to(">&-") == (0, "")
