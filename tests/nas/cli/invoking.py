"""Commands as a user gives them, in this process."""

from typing import Any

from typer.testing import CliRunner

from nas.cli.app import app


def invoke(*arguments: object) -> Any:
    """What `nas` with some arguments answers."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments: object) -> str:
    """The message of a command that must end as a user's error."""
    result = invoke(*arguments)
    assert result.exit_code == 2, (result.output, result.exception)
    assert "Traceback" not in result.output
    assert result.stderr.startswith("error: ")
    return str(result.stderr)
