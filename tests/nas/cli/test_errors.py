"""Users' errors and warnings on the command line: one plain line on stderr, an exit code, no traceback."""

import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from nas.cli.errors import user_errors
from search_spaces.files.durable import StorageError


def app_that_raises(error: BaseException) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @user_errors
    def command() -> None:
        raise error

    return app


@pytest.mark.parametrize(
    "error",
    [
        ValueError("`x` must be 1, but got 2; give 1"),
        StorageError("cannot write here: the disk is full"),
        FileNotFoundError("there is no table"),
        OSError(5, "Input/output error"),
        ConnectionError("no cluster answers"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_users_error_is_its_message_and_code_2(error: Exception) -> None:
    result = CliRunner().invoke(app_that_raises(error), [])
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"error: {error}\n")


def test_our_own_bug_keeps_its_traceback() -> None:
    result = CliRunner().invoke(app_that_raises(KeyError("bug")), [])
    assert isinstance(result.exception, KeyError)


def test_a_task_that_failed_on_every_worker_tells_its_own_story_and_others_keep_their_traceback() -> None:
    from nas.workers.ray_errors import TaskFailedError

    class ToldError(TaskFailedError):
        def __init__(self) -> None:
            RuntimeError.__init__(self, "a task failed 3 times: Traceback of the worker")

    ToldError.__module__ = TaskFailedError.__module__
    result = CliRunner().invoke(app_that_raises(ToldError()), [])
    assert (result.exit_code, result.stderr) == (1, "error: a task failed 3 times: Traceback of the worker\n")
    assert isinstance(CliRunner().invoke(app_that_raises(RuntimeError("bug")), []).exception, RuntimeError)


def test_an_interrupted_command_ends_with_130_and_no_traceback() -> None:
    result = CliRunner().invoke(app_that_raises(KeyboardInterrupt()), [])
    assert (result.exit_code, result.output) == (130, "")


WARNS = """
import warnings
import typer
from search_spaces.files.durable import LeftoverWarning
from nas.cli.errors import user_errors

@user_errors
def command():
    warnings.warn("something was repaired", LeftoverWarning)
    warnings.warn("something is strange", UserWarning)

typer.run(command)
"""


def test_our_warnings_are_plain_lines_and_others_keep_their_place() -> None:
    done = subprocess.run([sys.executable, "-c", WARNS], capture_output=True, text=True, check=True)
    ours, *others = done.stderr.splitlines()
    assert ours == "warning: something was repaired"
    assert others[0].endswith("UserWarning: something is strange")
