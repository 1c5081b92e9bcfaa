"""Tests in processes of their own, forked from one that has imported the libraries, and perhaps the tests, already."""

import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

_POLL_S: Final = 0.01
_MORE_BYTES: Final = 6 * 2**30  # of addresses, beyond those of the parent: a fault may ask for any amount


class Verdict(StrEnum):
    """What tests made of a mutant; that they never end is noticed as well as that they fail.

    An equivalent one is known to change nothing, and is not tried.
    """

    KILLED = "killed"
    ENDLESS = "endless"
    EQUIVALENT = "equivalent"
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Told:
    """Attributes: what tests made of a mutant; the seconds that they took."""

    verdict: Verdict
    took_s: float


def told_by(tests: Callable[[], bool], /, *, limit_s: float, log: Path) -> Told:
    """Run tests in a process of their own.

    Args:
        tests: Run there; whether all passed.
        limit_s: Seconds after which they count as endless.
        log: File that is written with what they say.
    """
    began_s = time.monotonic()
    child = os.fork()
    if not child:
        _run_and_end(tests, log)
    while time.monotonic() - began_s < limit_s:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            verdict = Verdict.KILLED if os.waitstatus_to_exitcode(status) else Verdict.SURVIVED
            return Told(verdict, time.monotonic() - began_s)
        time.sleep(_POLL_S)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return Told(Verdict.ENDLESS, time.monotonic() - began_s)


def say_into(log: Path, /) -> None:
    """Let all that this process says go into a file, and let it hear nothing."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.close(said)
    sys.stdout, sys.stderr = (
        sys.__stdout__,
        sys.__stderr__,
    )  # pytest may hold them


def _run_and_end(tests: Callable[[], bool], log: Path) -> None:
    passed = False
    try:
        os.setpgid(0, 0)
        _limit_memory()
        say_into(log)
        passed = tests()
    except BaseException:  # whatever it is, this process ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(0 if passed else 1)


def _limit_memory() -> None:
    status = Path("/proc/self/statm")
    taken = int(status.read_text().split()[0]) * resource.getpagesize() if status.exists() else 16 * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (taken + _MORE_BYTES, resource.RLIM_INFINITY))
