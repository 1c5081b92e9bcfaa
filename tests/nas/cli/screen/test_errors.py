"""Users' errors and warnings on the command line: one plain line on stderr, an exit code, no traceback."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from nas.cli.screen.errors import logged_in, user_errors
from search_spaces.files.durable.disk import StorageError
from search_spaces.files.user_error import PluginError, UserError


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
        UserError("`x` must be 1, but got 2; give 1"),
        StorageError("cannot write here: the disk is full"),
        FileNotFoundError("there is no table"),
        ConnectionError("no cluster answers"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_users_error_is_its_message_and_code_2(error: Exception) -> None:
    result = CliRunner().invoke(app_that_raises(error), [])
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"error: {error}\n")


def test_an_error_of_the_system_names_its_file(tmp_path: Path) -> None:
    def told(error: OSError) -> str:
        result = CliRunner().invoke(app_that_raises(error), [])
        assert result.exit_code == 2
        return result.stderr

    assert told(OSError(28, "No space left on device", "/a/b")) == "error: /a/b: No space left on device (errno 28)\n"
    assert told(OSError(13, "Permission denied", b"/a", None, "/c")).startswith("error: /a -> /c: Permission denied")
    assert "a file or device that the system does not name: Input" in told(OSError(5, "Input/output error"))


@pytest.mark.parametrize("error", [KeyError("bug"), ValueError("bug"), RuntimeError("bug")], ids=repr)
def test_a_fault_keeps_its_traceback_and_says_that_it_is_none_of_the_users(error: Exception) -> None:
    result = CliRunner().invoke(app_that_raises(error), [])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Traceback (most recent call last)")
    assert "error: a fault of this program or of a library, and not yours: " in result.stderr
    assert "The traceback is above; please report it" in result.stderr


def test_memory_that_is_used_up_has_a_remedy() -> None:
    class OutOfMemoryError(RuntimeError):
        """Such as torch's."""

    torchs = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
    for error in (
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError(torchs),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    ):
        result = CliRunner().invoke(app_that_raises(error), [])
        assert result.exit_code == 1
        assert result.stderr.startswith("error: the memory is used up (")
        assert "use a smaller batch" in result.stderr


def in_run(run: Path, error: Exception) -> Any:
    app = typer.Typer()

    @app.command()
    @user_errors
    def command() -> None:
        with logged_in(run):
            raise error

    return CliRunner().invoke(app, [])


def test_a_fault_in_a_run_leaves_its_traceback_there_and_a_users_error_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").touch()
    log = tmp_path / "logs" / "driver.log"
    assert in_run(tmp_path, UserError("give 1")).stderr == "error: give 1\n"
    assert not log.exists()

    result = in_run(tmp_path, KeyError("first"))
    assert result.exit_code == 1
    assert f"The traceback is in {log}; please report it" in result.stderr
    in_run(tmp_path, ValueError("second"))
    text = log.read_text()
    assert "KeyError: 'first'" in text
    assert "ValueError: second" in text
    assert text.count("Traceback (most recent call last)") == 2

    blamed = PluginError("the search algorithm 'x' failed")
    assert in_run(tmp_path, blamed).exit_code == 2, "it says all"
    blamed.__cause__ = ZeroDivisionError("third")
    result = in_run(tmp_path, blamed)
    assert (result.exit_code, result.stderr) == (1, f"error: {blamed}; the traceback is in {log}\n")
    assert "ZeroDivisionError: third" in log.read_text()


def test_a_fault_outside_a_run_makes_no_folder_there(tmp_path: Path) -> None:
    result = in_run(tmp_path, KeyError("bug"))
    assert "The traceback is above" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_failed_on_every_worker_tells_its_own_story() -> None:
    from nas.workers.ray_errors import TaskFailedError

    class ToldError(TaskFailedError):
        def __init__(self) -> None:
            RuntimeError.__init__(self, "a task failed 3 times: out of memory on the worker")

    ToldError.__module__ = TaskFailedError.__module__
    result = CliRunner().invoke(app_that_raises(ToldError()), [])
    assert (result.exit_code, result.stderr) == (1, "error: a task failed 3 times: out of memory on the worker\n")


def test_an_interrupted_command_ends_with_130_and_no_traceback() -> None:
    result = CliRunner().invoke(app_that_raises(KeyboardInterrupt()), [])
    assert (result.exit_code, result.output) == (130, "")


WARNS = """
import warnings
import typer
from search_spaces.files.durable.parts import LeftoverWarning
from nas.cli.screen.errors import user_errors

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


def test_homes_are_written_out_wherever_a_shell_left_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")

    def command(**given: object) -> dict[str, object]:
        return given

    told = user_errors(command)(out=Path("~/runs/a"), reports=[Path("~/b"), Path("c")], text="~/d", number=3)
    home = Path("/home/somebody")
    assert told == {"out": home / "runs" / "a", "reports": [home / "b", Path("c")], "text": "~/d", "number": 3}
