"""Processes of their own that begin warm: forked from one that has imported torch, diffusers and all of ours.

A fresh interpreter takes some ten seconds of a processor to import them, a fork none. What a test must show of a fresh
interpreter, such as what is not imported there, it shows in a fresh one.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.forkserver import set_forkserver_preload
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

set_forkserver_preload(["tests.warmed"])
PROCESSES = multiprocessing.get_context("forkserver")


def exit_code(target: Callable[..., Any], *args: Any, **kwargs: Any) -> int | None:
    """Run a function in a process of its own."""
    process = PROCESSES.Process(target=target, args=args, kwargs=kwargs)
    process.start()
    process.join(300)
    if process.is_alive():
        process.kill()
        raise AssertionError(f"{target.__name__} hangs")
    return process.exitcode


def python(
    code: str,
    *arguments: str | Path | int,
    path: Sequence[Path] = (),
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """What `python -c CODE ARGUMENTS` does.

    Args:
        code: Run as `__main__`.
        arguments: `sys.argv[1:]`.
        path: Folders before all others in which it looks for modules.
        cwd: None = this process's.
        env: More variables; those that a library reads when it is imported come too late.
    """
    words = [str(argument) for argument in arguments]
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "stdout"), Path(folder, "stderr")
        code_ = exit_code(
            _run, code, words, [str(one) for one in path], cwd or Path.cwd(), {**os.environ, **(env or {})}, out, err
        )
        assert code_ is not None
        return subprocess.CompletedProcess(
            words, code_, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
        )


def nas(
    *arguments: str | Path | int, path: Sequence[Path] = (), env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What the command `nas ARGUMENTS` does, on a screen of 160 columns."""
    return python("from nas.cli import main; main()", *arguments, path=path, env={"COLUMNS": "160", **(env or {})})


def _run(
    code: str,
    arguments: Sequence[str],
    path: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    out: Path,
    err: Path,
) -> None:
    """What a shell does: variables, a folder, two streams, and the arguments."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:0] = path
    for stream, file_path in ((sys.stdout, out), (sys.stderr, err)):
        with file_path.open("w", encoding="utf-8") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = ["nas", *arguments]
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
