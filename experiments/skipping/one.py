"""One case with one seed, in a process of its own: `python -m experiments.skipping.one WORK CASE SEED`.

Trains with skipping, then scores the full UNet, its single removals, and an architecture that they lead to; then some
removals and that architecture again after training without skipping. Weights and every score are on disk as soon as
they are known, so that a killed process goes on where it was.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Final

import torch
from safetensors.torch import load_file, save_file

from experiments.skipping.bench import Judged, Trainer, start_threads
from experiments.skipping.study import CASES, Study, evenly
from nas.training.skipping.settings import Skipping
from search_spaces.actions import AnyAction
from search_spaces.architecture import Architecture
from search_spaces.files.durable.writing import whole, write_text
from search_spaces.files.strict_json import read_json_object
from search_spaces.unets.space import UNetSpace

FULL, FOUND, RECOVERED = "full", "found", "recovered "
DATA: Final = "data.safetensors"
_NO_SKIPPING: Final = Skipping(probability=0.0)


def folder_of(work: Path, case: str, seed: int, /) -> Path:
    """Where a case with a seed keeps its weights and scores."""
    return work / f"{case.replace(' ', '-')}-{seed}"


class Ledger:
    """Numbers by name in a JSON file; each is computed once."""

    def __init__(self, path: Path, /) -> None:
        self._path = path
        self.numbers: dict[str, float] = read_json_object(path) if path.exists() else {}

    def get(self, name: str, compute: Callable[[], float], /) -> float:
        """A number, computed and written where it is not there yet."""
        if name not in self.numbers:
            self.numbers[name] = compute()
            write_text(self._path, json.dumps(self.numbers, indent=2) + "\n")
        return self.numbers[name]


def run(work: Path, case: str, seed: int, /) -> dict[str, float]:
    """Do what is still to do of a case with a seed; every number by name."""
    study, folder, clock = Study.read(work), folder_of(work, case, seed), time.monotonic()
    start_threads(study.device)
    ledger = Ledger(folder / "scores.json")
    judged = Judged(study, Path(study.unet))
    supernet = judged.supernet
    trainer, space = Trainer(study, supernet, data=work / DATA), supernet.space
    weights = folder / "unet.safetensors"
    if not weights.exists():
        trainer.train(space.base, CASES[case], num_steps=study.steps, seed=seed)
        supernet.switch(space.base)
        with whole(weights) as part:
            save_file({name: each.contiguous() for name, each in supernet.weights().items()}, part)
    robust = load_file(weights, device=study.device)
    supernet.load_weights(robust)

    def score(architecture: Architecture) -> float:
        return fmean(judged.scores(architecture))

    def recovered(architecture: Architecture) -> float:
        trainer.train(architecture, _NO_SKIPPING, num_steps=study.recovery_steps, seed=seed)
        number = score(architecture)
        supernet.load_weights(robust)
        return number

    full = ledger.get(FULL, lambda: score(space.base))
    removals = {str(action): action for action in space.removals(space.base)}
    chosen = evenly(list(removals), study.num_removals)
    single = {name: ledger.get(name, partial(score, removals[name].apply(space.base))) for name in chosen}
    found = found_of(space, {removals[name]: full - number for name, number in single.items()}, study.found_share)
    ledger.get(FOUND, lambda: score(found))
    for name in evenly(chosen, study.num_recovered):
        ledger.get(RECOVERED + name, partial(recovered, removals[name].apply(space.base)))
    ledger.get(RECOVERED + FOUND, lambda: recovered(found))
    ledger.get("seconds", lambda: time.monotonic() - clock)
    return ledger.numbers


def found_of(space: UNetSpace, lost: dict[AnyAction, float], share: float, /) -> Architecture:
    """What removing by score lost per multiply-accumulate saved leads to, until no more than a share of all is left."""
    base = space.num_macs(space.base)
    value = {action: number / (base - space.num_macs(action.apply(space.base))) for action, number in lost.items()}
    architecture = space.base
    for action in sorted(lost, key=lambda each: value[each]):
        if space.num_macs(architecture) <= share * base:
            break
        if space.why_not(action, architecture=architecture) is None:
            architecture = action.apply(architecture)
    return architecture


def main(arguments: list[str]) -> int:
    """One case with one seed."""
    if len(arguments) != 3 or arguments[1] not in CASES:
        print(f"{__doc__}\nCASE is one of: {', '.join(map(repr, CASES))}")
        return 2
    work, case, seed = arguments
    numbers = run(Path(work), case, int(seed))
    print(f"{case}, seed {seed}: full {numbers[FULL]:.4f}, {numbers['seconds']:.0f} s")
    if torch.cuda.is_available():
        print(f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB of GPU memory")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
