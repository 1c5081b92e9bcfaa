"""Portions of a fuzzer's inputs, each run in processes of its own that may hang or die without ending the whole."""

import json
import os
import select
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from experiments.fuzz.running import FINDS, Outcome
from experiments.in_memory import IN_MEMORY

_ROOT: Final = Path(__file__).parents[2]
_PORTION: Final = 1_500  # inputs of one process: imports of torch take ten seconds of a processor
_POLL_S: Final = 0.5
_CROWD: Final = 5.0  # times as long as by itself something may take where others work too
_START_S: Final = 180.0  # for imports and for what a fuzzer makes once


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how large.

    Attributes:
        input_s: Seconds of a processor for an input, and a fifth of what the clock may say, for others work here too.
        memory_bytes: Beyond the imports'.
        end_s: Of the whole, by the monotonic clock.
    """

    input_s: float = 20.0
    memory_bytes: int = 3 * 2**30
    end_s: float = float("inf")


@dataclass(frozen=True, slots=True)
class Portion:
    """Inputs of one fuzzer and seed."""

    fuzzer: Path
    seed: int
    num: int


@dataclass(frozen=True, slots=True)
class Find:
    """An input that was neither read nor refused."""

    portion: Portion
    case: str
    outcome: Outcome
    trace: str

    @property
    def command(self) -> str:
        """What runs it again."""
        name = shlex.quote(f"{self.portion.fuzzer.stem}/{self.case}")
        return f"python -m experiments.fuzz --only {name} --seed {self.portion.seed} --num {self.portion.num}"


@dataclass(slots=True)
class Told:
    """What a portion's processes told."""

    portion: Portion
    counts: Counter[Outcome] = field(default_factory=Counter)
    finds: list[Find] = field(default_factory=list)

    def add(self, case: str, outcome: Outcome, trace: str = "") -> None:
        """Count a case, and keep it when it is a find."""
        self.counts[outcome] += 1
        if outcome in FINDS:
            self.finds.append(Find(self.portion, case, outcome, trace))


def portions(files: Sequence[Path], /, *, num: int, seed: int) -> list[Portion]:
    """So many inputs in all, shared out evenly; fuzzer after fuzzer in turn, for the clock may stop the last."""
    of_each = -(-num // len(files))
    firsts = range(0, of_each, _PORTION)
    return [
        Portion(file, seed + number, min(_PORTION, of_each - first))
        for number, first in enumerate(firsts)
        for file in files
    ]


def run_portion(portion: Portion, /, *, limits: Limits) -> Told:
    """Run a portion; a process that hangs or dies is followed by one that goes on behind that input."""
    told = Told(portion)
    while time.monotonic() < limits.end_s and not _run_process(portion, told, limits):
        pass
    return told


def _run_process(portion: Portion, told: Told, limits: Limits) -> bool:
    """Run what is left of a portion in one process; True when nothing is left."""
    given = (portion.fuzzer, portion.seed, portion.num, told.counts.total(), limits.memory_bytes)
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=IN_MEMORY) as folder, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "experiments.fuzz.running", *map(str, given)],
            cwd=folder,
            env={**os.environ, "TMPDIR": folder, "PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        case = None
        try:
            for line in _lines(process, limits):
                if "case" in line:
                    case = line["case"]
                elif "outcome" in line:
                    assert case is not None
                    told.add(case, Outcome(line["outcome"]), line["trace"])
                    case = None
                else:
                    return True
        finally:
            hung = process.poll() is None
            process.kill()
            code = process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if time.monotonic() >= limits.end_s:
            return True
        errors.seek(0)
        said = errors.read()[-4000:]
        if case is None:
            raise RuntimeError(f"{portion} ended between two inputs, exit code {code}: a fault of the fuzzer\n{said}")
        if hung:
            told.add(case, Outcome.HANG, f"no answer within {limits.input_s:g} s")
        else:
            told.add(case, Outcome.DEATH, f"exit code {code}\n{said}")
    return False


def _lines(process: "subprocess.Popen[bytes]", limits: Limits) -> Iterator[dict[str, Any]]:
    """What a process says, until it says nothing more: it ended, or went on for too long."""
    assert process.stdout is not None
    within_s, rest = _START_S, b""
    heard_s, used_s = time.monotonic(), 0.0
    while True:
        while not select.select([process.stdout], [], [], min(_POLL_S, within_s))[0]:
            now_s = time.monotonic()
            if now_s >= limits.end_s or now_s - heard_s > _CROWD * within_s or _used_s(process) - used_s > within_s:
                return
        if time.monotonic() >= limits.end_s:
            return
        heard_s, used_s = time.monotonic(), _used_s(process)
        chunk = os.read(process.stdout.fileno(), 65536)
        if not chunk:
            process.wait()
            return
        *whole, rest = (rest + chunk).split(b"\n")
        for line in map(json.loads, whole):
            within_s = limits.input_s if "case" in line else _START_S
            yield line


def _used_s(process: "subprocess.Popen[bytes]") -> float:
    """Seconds of a processor that a process has taken; 0 where the system does not say."""
    try:
        said = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(said[11]) + int(said[12])) / os.sysconf("SC_CLK_TCK")
