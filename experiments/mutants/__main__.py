"""Plant faults in the pure core, the driver, durable writing and training, and list those that no test notices.

    python -m experiments.mutants [ROOM | MODULE | MODULE:LINE ...] [--num 25] [--minutes 60] [--seed 0] [--own]

Of every room so many faults are drawn, or all with `--num 0`; of a module or a line, all that it has. First the room's
own fast tests are run against each, then those fast ones elsewhere that import its modules, then its own slow ones;
each of these tries only what survived the one before. With `--own` a room stands by the tests of its own folder, where
it has some: that is stricter, and quicker, for most tests of all import what many use. The same seed draws the same
faults as long as the room's modules do not change.

Expected: at most one in ten survives, each explained in experiments/LOG.md. What is known to change nothing stands in
equivalents.toml with its reason, and is counted without being tried. Cost: half an hour of one core.
"""

import argparse
import ast
import random
import re
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from experiments.mutants.equivalents import reason
from experiments.mutants.forking import Verdict
from experiments.mutants.killing import Fault, Trial, import_libraries, trials
from experiments.mutants.planting import mutant, num_faults

ROOT: Final = Path(__file__).resolve().parents[2]
ROOMS: Final = (
    "search_spaces",
    "search_spaces/unets",
    "search_spaces/files",
    "search_spaces/files/durable",
    "latency/pricing",
    "latency/documents",
    "latency/timing",
    "latency/trust",
    "nas/algorithms",
    "nas/algorithms/combinators",
    "nas/algorithms/one_shot",
    "nas/racing",
    "nas/values",
    "nas/scores",
    "nas/search",
    "nas/search/costs",
    "nas/search/scoring",
    "nas/training",
    "nas/training/skipping",
    "nas/robust_training",
    "nas/launching",
)
_NEVER: Final = re.compile(r"\b(import ray|pytest\.mark\.gpu|experiments\.mutants)\b")


def modules(name: str, /) -> list[Path]:
    """The modules of a room, without those of the rooms inside it; or the one that is named."""
    found = sorted((ROOT / name).glob("*.py")) or [ROOT / name]
    return [path for path in found if path.name != "__init__.py"]


def laws_of(room: Path, watched: Collection[Path], /, *, own_only: bool = False) -> list[list[Path]]:
    """The test modules that look at modules of a room: its own fast ones, fast ones elsewhere, its own slow ones.

    Args:
        room: Its folder.
        watched: Those of its modules that are looked at.
        own_only: Whether to leave out those elsewhere, if it has any of its own.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))}
    texts = {path: text for path, text in texts.items() if not _NEVER.search(text)}
    slow_words, fast_word = _rule_of_the_fast_tier()
    own = {path for path in texts if path.parent == ROOT / "tests" / room.relative_to(ROOT)}
    others = {path for path in texts if any(name in texts[path] for module in watched for name in _imports(module))}
    fast = {path for path, text in texts.items() if not slow_words.search(text) or fast_word.search(text)}
    elsewhere = set[Path]() if own_only and own else (others - own) & fast
    return [sorted(tests) for tests in (own & fast, elsewhere, own - fast) if tests]


def _rule_of_the_fast_tier() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The two patterns of tests/conftest.py, which nobody may import."""
    tree = ast.parse((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    calls = {
        statement.targets[0].id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        if isinstance(statement.value, ast.Call)
    }
    slow, fast = (re.compile(ast.literal_eval(calls[name].args[0])) for name in ("SLOW_WORDS", "FAST_WORD"))
    return slow, re.compile(fast.pattern, re.MULTILINE)


def _imports(module: Path) -> Iterator[str]:
    inside = module.relative_to(ROOT).with_suffix("")
    dotted, package = ".".join(inside.parts), ".".join(inside.parts[:-1])
    yield from (f"from {dotted} import", f"import {dotted}\n", f"from {package} import {inside.name}\n")


def faults_of(name: str, /, *, num: int, seed: int) -> list[Fault]:
    """So many of a room's mutants by chance, or all of a module or of a line: `nas/racing`, `nas/racing/race.py:57`."""
    place, _, line = name.rstrip("/").partition(":")
    texts = {module: module.read_text(encoding="utf-8") for module in modules(place)}
    places = [(module, index) for module, text in texts.items() for index in range(num_faults(text))]
    if not place.endswith(".py"):
        random.Random(f"{seed} {place}").shuffle(places)
        places = places[: num or None]
    found = [(module, mutant(texts[module], index)) for module, index in places]
    return [(module, planted) for module, planted in found if not line or planted.line == int(line)]


def table(verdicts: Sequence[tuple[Path, Verdict]], /) -> str:
    """Counts by room, and the share that survived of those that are not equivalent."""
    rooms: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for module, told in verdicts:
        rooms[str(module.relative_to(ROOT).parent)][told] += 1
    rooms["all"] = sum(rooms.values(), Counter())
    lines = [f"{'room':<32}{'mutants':>9}" + "".join(f"{told:>12}" for told in Verdict) + f"{'survive':>10}"]
    for room, counts in rooms.items():
        share = counts[Verdict.SURVIVED] / max(counts.total() - counts[Verdict.EQUIVALENT], 1)
        lines.append(
            f"{room:<32}{counts.total():>9}" + "".join(f"{counts[told]:>12}" for told in Verdict) + f"{share:>10.1%}"
        )
    return "\n".join(lines)


def tried(name: str, faults: Sequence[Fault], /, *, log: Path, own_only: bool = False) -> Iterator[tuple[Fault, Trial]]:
    """What tests make of the mutants of a room or module: each test module tries what those before it let live."""
    room = modules(name.partition(":")[0])[0].parent
    texts = {module: module.read_text(encoding="utf-8") for module, _ in faults}
    left: list[tuple[int, Fault]] = []
    num_tests = Counter[int]()
    for index, fault in enumerate(faults):
        if because := reason(str(fault[0].relative_to(ROOT)), texts[fault[0]], fault[1]):
            yield fault, Trial(Verdict.EQUIVALENT, 0, because)
        else:
            left.append((index, fault))
    for tests in laws_of(room, {module for module, _ in faults}, own_only=own_only):
        if not left:
            break
        ended = set()
        for at, trial in trials([fault for _, fault in left], tests=tests, root=ROOT, log=log):
            index, fault = left[at]
            num_tests[index] += trial.num_tests
            if trial.verdict is not Verdict.SURVIVED:
                ended.add(index)
                yield fault, trial
        left = [(index, fault) for index, fault in left if index not in ended]
    for index, fault in left:
        yield fault, Trial(Verdict.SURVIVED, num_tests[index])


def main(arguments: Sequence[str] | None = None, /) -> int:
    """Test mutants as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m experiments.mutants")
    parser.add_argument("names", nargs="*", help="rooms, modules or lines; else all rooms that are watched")
    parser.add_argument("--num", type=int, default=25, help="mutants of a room; 0 = all")
    parser.add_argument("--minutes", type=float, default=60.0, help="no room is begun later")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--all", action="store_true", help="list those that are noticed too, with the test that did")
    parser.add_argument("--own", action="store_true", help="let a room stand by the tests of its own folder alone")
    given = parser.parse_args(arguments)
    began_s = time.monotonic()
    import_libraries()
    log = Path(tempfile.mkdtemp(prefix="mutants-"), "tests.log")
    verdicts: list[tuple[Path, Verdict]] = []
    for name in given.names or ROOMS:
        if time.monotonic() - began_s > 60 * given.minutes:
            print(f"the time is over before {name}")
            break
        faults = faults_of(name, num=given.num, seed=given.seed)
        for (module, planted), trial in tried(name, faults, log=log, own_only=given.own):
            verdicts.append((module, trial.verdict))
            if given.all or trial.verdict is Verdict.SURVIVED:
                seen = f" [{trial.verdict} of {trial.num_tests} tests{': ' if trial.by else ''}{trial.by}]"
                print(f"{module.relative_to(ROOT)}:{planted.line}: {planted.what}{seen}", flush=True)
    print(table(verdicts))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(f"{sum(each.ru_utime + each.ru_stime for each in used) / 60:.1f} minutes of a processor")
    return 0


if __name__ == "__main__":
    sys.exit(main())
