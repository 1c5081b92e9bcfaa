"""Plant faults in the pure core, the driver, durable writing and training, and list those that no test notices.

    python -m experiments.mutants [MODULE_OR_ROOM ...] [--num 4] [--minutes 30] [--seed 0]

Of every module so many faults are drawn, or all with `--num 0`, and the module's own tests are run against each: its
mirrored test module and those fast ones elsewhere that import it. Modules take turns, a fault each, until the time is
over. The same seed draws the same faults as long as the module does not change.

Expected: at most one in ten survives, each explained in experiments/LOG.md. Cost: the given minutes on one core.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Final

from experiments.mutants.killing import Verdict, import_libraries, verdict
from experiments.mutants.planting import Mutant, mutants

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = (
    "search_spaces",
    "search_spaces/files",
    "search_spaces/known",
    "latency/pricing",
    "latency/timing",
    "latency/trust",
    "nas/algorithms",
    "nas/racing",
    "nas/scores",
    "nas/search",
    "nas/training",
)
_SLOW: Final = ("subprocess", "from experiments", "import ray")  # other slow tests run when nothing fast is there
_PATIENCE: Final = 3.0  # times what the tests take without a fault
_SPARE_S: Final = 10.0


def modules(names: Sequence[str], /) -> list[Path]:
    """The modules of rooms, without those of the rooms inside them."""
    found = [path for name in names for path in (sorted((ROOT / name).glob("*.py")) or [ROOT / name])]
    return [path for path in found if path.name != "__init__.py"]


def laws_of(module: Path, /) -> list[Path]:
    """The test modules that look at a module, its mirror first."""
    inside = module.relative_to(ROOT).with_suffix("")
    mirror = ROOT / "tests" / inside.parent / f"test_{inside.name}.py"
    dotted, package = ".".join(inside.parts), ".".join(inside.parts[:-1])
    own = [mirror] if mirror.exists() else sorted(mirror.parent.glob("test_*.py"))
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))}
    names = (f"from {dotted} import", f"import {dotted}\n", f"from {package} import {inside.name}\n")
    others = [path for path, text in texts.items() if path not in own and any(name in text for name in names)]
    quick = [path for path in [*own, *others] if not any(word in texts[path] for word in _SLOW)]
    return quick or own


def drawn(module: Path, /, *, num: int, seed: int) -> list[Mutant]:
    """So many of a module's mutants by chance; 0 = all."""
    every = mutants(module.read_text(encoding="utf-8"))
    random.Random(f"{seed} {module.relative_to(ROOT)}").shuffle(every)
    return every[: num or None]


def table(verdicts: Sequence[tuple[Path, Verdict]], /) -> str:
    """Counts by room, and the share that survived."""
    rooms: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for module, told in verdicts:
        rooms[str(module.relative_to(ROOT).parent)][told] += 1
    rooms["all"] = sum(rooms.values(), Counter())
    lines = [f"{'room':<24}{'mutants':>9}" + "".join(f"{told:>10}" for told in Verdict) + f"{'survive':>10}"]
    for room, counts in rooms.items():
        share = counts[Verdict.SURVIVED] / max(counts.total(), 1)
        lines.append(
            f"{room:<24}{counts.total():>9}" + "".join(f"{counts[told]:>10}" for told in Verdict) + f"{share:>10.1%}"
        )
    return "\n".join(lines)


def _in_turn(by_module: dict[Path, list[Mutant]]) -> Iterator[tuple[Path, Mutant]]:
    for turn in zip_longest(*([(module, mutant) for mutant in found] for module, found in by_module.items())):
        yield from (pair for pair in turn if pair)


def main(arguments: Sequence[str] | None = None, /) -> int:
    """Test mutants as the arguments say; 1 when tests fail without a fault."""
    parser = argparse.ArgumentParser(prog="python -m experiments.mutants")
    parser.add_argument("modules", nargs="*", help="files or rooms, such as nas/racing; else all that are watched")
    parser.add_argument("--num", type=int, default=4, help="mutants of a module; 0 = all")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    end_s = time.monotonic() + 60 * given.minutes
    watched = modules([name.rstrip("/") for name in given.modules] or ROOMS)
    import_libraries()
    log = Path(tempfile.mkdtemp(prefix="mutants-"), "tests.log")
    verdicts: list[tuple[Path, Verdict]] = []
    limits_s: dict[Path, float] = {}
    by_module = {module: drawn(module, num=given.num, seed=given.seed) for module in watched}
    for module, mutant in _in_turn(by_module):
        if time.monotonic() > end_s:
            print("the time is over: not every mutant was tried")
            break
        tests, place = laws_of(module), module.relative_to(ROOT)
        if module not in limits_s:
            told, took_s = verdict(module, module.read_text(), tests=tests, root=ROOT, log=log, limit_s=600)
            if told is not Verdict.SURVIVED:
                print(f"{place}: its tests must pass without a fault, but do not:\n{log.read_text()[-4000:]}")
                return 1
            limits_s[module] = _PATIENCE * took_s + _SPARE_S
        told, _ = verdict(module, mutant.source, tests=tests, root=ROOT, log=log, limit_s=limits_s[module])
        verdicts.append((module, told))
        if told is Verdict.SURVIVED:
            print(f"{place}:{mutant.line}: {mutant.what}", flush=True)
    print(table(verdicts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
