"""Cases run one after another in this process, each with its outcome: what a child of the frame does.

As a program it runs the cases of one fuzzer and seed under a limit of memory, a line of JSON before and after each:

    python -m experiments.fuzz.running FUZZER.py SEED NUM SKIP MEMORY_BYTES

It sets no limit of time: whoever reads the lines ends a process that says nothing for too long.
"""

import errno
import importlib.util
import json
import os
import resource
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import IO, Final

from experiments.fuzz.case import Case
from search_spaces.files.user_error import UserError

_OUT_OF_MEMORY: Final = ("can't allocate memory", "bad_alloc", "Cannot allocate memory")


class Outcome(StrEnum):
    """What became of a case; the first two are as it should be."""

    REFUSED = "refused"
    ACCEPTED = "accepted"
    TRACEBACK = "traceback"
    HANG = "hang"
    MEMORY = "memory"
    DEATH = "death"


FINDS: Final = (Outcome.TRACEBACK, Outcome.HANG, Outcome.MEMORY, Outcome.DEATH)


def load_inputs(path: Path, /) -> Callable[[int, int], Iterator[Case]]:
    """The `inputs(seed, num)` of a fuzzer's file."""
    spec = importlib.util.spec_from_file_location(f"fuzzer_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    inputs: Callable[[int, int], Iterator[Case]] = module.inputs
    return inputs


def outcome_of(case: Case, /) -> tuple[Outcome, str]:
    """What became of a case, and its traceback where that was not meant to be."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            case.run()
    except MemoryError:
        return Outcome.MEMORY, traceback.format_exc(limit=-20)
    except UserError:
        return Outcome.REFUSED, ""
    except OSError as error:
        return (Outcome.MEMORY, traceback.format_exc()) if error.errno == errno.ENOMEM else (Outcome.REFUSED, "")
    except (Exception, SystemExit) as error:  # whatever it is, it is a find
        memory = any(words in str(error) for words in _OUT_OF_MEMORY)
        return Outcome.MEMORY if memory else Outcome.TRACEBACK, traceback.format_exc(limit=-20)
    return Outcome.ACCEPTED, ""


def _run(cases: Iterator[Case], lines: IO[str], /) -> None:
    for case in cases:
        print(json.dumps({"case": case.name}), file=lines, flush=True)
        outcome, trace = outcome_of(case)
        print(json.dumps({"outcome": outcome, "trace": trace}), file=lines, flush=True)
    print(json.dumps({"end": True}), file=lines, flush=True)


def _limit_memory(num_bytes: int) -> None:
    """Let this process take that much more than it has; where there is no /proc, that much beyond 16 GiB."""
    status = Path("/proc/self/statm")
    taken = int(status.read_text().split()[0]) * resource.getpagesize() if status.exists() else 16 * 2**30
    resource.setrlimit(resource.RLIMIT_AS, (taken + num_bytes, resource.RLIM_INFINITY))


if __name__ == "__main__":
    fuzzer, seed, num, skip, memory_bytes = sys.argv[1:]
    lines = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)  # what is read may print; the lines are ours
    cases = load_inputs(Path(fuzzer))(int(seed), int(num))
    _limit_memory(int(memory_bytes))
    _run(islice(cases, int(skip), None), lines)
