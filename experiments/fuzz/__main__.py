"""Run every fuzzer of this folder, and print what became of the inputs.

    python -m experiments.fuzz [--num 24000] [--minutes 15] [--seed 0] [--only FUZZER[/CASE]]

A fuzzer is a file with `inputs(seed, num) -> Iterator[Case]`. Each runs in processes of its own, in portions with
a seed each; a process has so many seconds for an input and so many bytes more than its imports took. An input must be
read, or refused by a `UserError` or an `OSError`: a traceback, a hang, more memory or the end of the process is a find.
Finds are written to OUT/finds.txt, each with the command that runs it again, in this process and with its traceback.

Expected: no finds. Cost: the given minutes, on as many processes as there are processors.
"""

import argparse
import os
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final

from experiments.fuzz.portions import Limits, Told, portions, run_portion
from experiments.fuzz.running import Outcome, load_inputs

FOLDER: Final = Path(__file__).parent


def fuzzers(folder: Path = FOLDER, /) -> list[Path]:
    """The files that have inputs."""
    return [path for path in sorted(folder.glob("*.py")) if re.search(r"^def inputs\(", path.read_text(), re.MULTILINE)]


def table(all_told: Sequence[Told], /) -> str:
    """The counts by fuzzer, and in all."""
    heads = [*Outcome]
    rows = {told.portion.fuzzer.stem: Counter[Outcome]() for told in all_told}
    for told in all_told:
        rows[told.portion.fuzzer.stem] += told.counts
    rows["all"] = sum(rows.values(), Counter())
    lines = [f"{'fuzzer':<20}{'inputs':>10}" + "".join(f"{head:>11}" for head in heads)]
    for name, counts in rows.items():
        lines.append(f"{name:<20}{counts.total():>10}" + "".join(f"{counts[head]:>11}" for head in heads))
    return "\n".join(lines)


def replay(file: Path, case: str, /, *, seed: int, num: int) -> None:
    """Run one case in this process, with whatever it raises."""
    for found in load_inputs(file)(seed, num):
        if found.name == case:
            with warnings.catch_warnings(action="default"):
                found.run()
            print(f"{case}: accepted")
            return
    raise SystemExit(f"{file.stem} has no case {case!r} of seed {seed} among {num}")


def main(arguments: Sequence[str] | None = None, /) -> int:
    """Run the fuzzers as the arguments say; 1 when there are finds."""
    parser = argparse.ArgumentParser(prog="python -m experiments.fuzz")
    parser.add_argument("--num", type=int, default=24_000, help="inputs in all")
    parser.add_argument("--minutes", type=float, default=15.0, help="bound for the whole")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="a fuzzer; or a case, FUZZER/CASE, which runs in this process")
    parser.add_argument("--out", type=Path, default=Path("runs/fuzz"), help="folder for finds.txt")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    fuzzer, _, case = given.only.partition("/")
    files = [path for path in fuzzers() if path.stem == fuzzer or not fuzzer]
    if not files:
        parser.error(f"there is no fuzzer {fuzzer!r}; choose among {', '.join(path.stem for path in fuzzers())}")
    if case:
        replay(files[0], case, seed=given.seed, num=given.num)
        return 0
    limits = Limits(end_s=time.monotonic() + 60 * given.minutes)
    with ThreadPoolExecutor(given.processes) as pool:
        shares = portions(files, num=given.num, seed=given.seed)
        running = [pool.submit(run_portion, share, limits=limits) for share in shares]
        all_told = []
        for done in as_completed(running):
            all_told.append(done.result())
            for find in all_told[-1].finds:
                print(f"{find.outcome}: {find.command}", flush=True)
    print(table(all_told))
    finds = [find for told in all_told for find in told.finds]
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "finds.txt").write_text("".join(f"{find.outcome}: {find.command}\n{find.trace}\n\n" for find in finds))
    if (num_left := given.num - sum(told.counts.total() for told in all_told)) > 0:
        print(f"{num_left} inputs were left when the time was over")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
