r"""Make a tabular benchmark of what `experiments.tabular.record` has scored so far.

    python -m experiments.tabular.pack experiments/tabular/shapes.yaml --store runs/tabular/shapes \
        --out nas/tabular/shapes.parquet

The largest sub-space of which every architecture has scores of the same first chunks is packed, and every single
removal of the full space with all of its prompts.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from experiments.command import run
from experiments.tabular.record import BLOCKS, sub_space
from nas.config.experiment import Experiment
from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.scores.store import ScoreStore
from nas.tabular.benchmark import Benchmark
from nas.tabular.files import write_benchmark
from search_spaces.actions import parse_action
from search_spaces.architecture import Architecture
from search_spaces.files.user_error import UserError
from search_spaces.known.bundled import folder_name


def main(
    config: Annotated[Path, typer.Argument(help="the experiment that was recorded")],
    store: Annotated[Path, typer.Option(help="folder of the score store")],
    out: Annotated[Path, typer.Option(help="parquet file to write")],
    block: Annotated[list[str], typer.Option(help="blocks that may go; several", show_default=False)] = list(BLOCKS),  # noqa: B006
    seconds_per_pass: Annotated[float, typer.Option(help="of the base, on the machine that recorded it")] = 0.009,
) -> None:
    """Pack what is recorded."""
    experiment = resolve(load_config(config))
    scores = ScoreStore.existing(store)
    benchmark = packed(experiment, scores, blocks=block, seconds_per_pass=seconds_per_pass, name=out.stem)
    write_benchmark(benchmark, out)
    print(
        f"{out}: {benchmark.size:,} architectures of {benchmark.num_searched} blocks, {benchmark.num_prompts} prompts, "
        f"{len(benchmark.masks) - benchmark.size} of the full space, {out.stat().st_size:,} bytes"
    )


def packed(
    experiment: Experiment, store: ScoreStore, /, *, blocks: list[str], seconds_per_pass: float, name: str
) -> Benchmark:
    """The largest benchmark that is recorded.

    Raises:
        UserError: Not even one block's sub-space is.
    """
    space, score = experiment.space, experiment.score.name
    frame = store.frame(score=score, columns=["arch_id", "prompt_id", "noise_seed", score])
    known = _by_architecture(frame, _order(frame), score=score)
    others = [str(action)[1:] for action in space.removals(space.base) if str(action)[1:] not in blocks]
    architectures = dict(enumerate(sub_space(space.base, [parse_action(f"-{block}") for block in blocks])))
    num = _num_searched(known, architectures, len(blocks))
    masks = list(range(2**num))
    edits = [*blocks[:num], *blocks[num:], *others]
    for bit, edit in enumerate(edits):
        alone = parse_action(f"-{edit}").apply(space.base)
        if bit >= num and alone.arch_id in known:
            masks.append(2**bit)
            architectures[2**bit] = alone
    chosen: list[Architecture] = [architectures[mask] for mask in masks]
    protocol = experiment.config.sampling
    return Benchmark(
        name=name,
        model=f"{folder_name(experiment.config.model)}, {space.num_params(space.base):,} parameters",
        protocol=f"{protocol.scheduler}, {protocol.num_steps} steps, guidance {protocol.guidance_scale:g}",
        score=experiment.score.name,
        unit=experiment.score.unit,
        higher_is_better=experiment.score.higher_is_better,
        device=experiment.source.scenario.name,
        edits=tuple(edits),
        num_searched=num,
        passes_per_prompt=experiment.worker.setting.passes_per_picture,
        seconds_per_pass=seconds_per_pass,
        made_by="python -m experiments.tabular.record, then experiments.tabular.pack",
        masks=np.array(masks, dtype=np.int64),
        latency_ms=np.array([experiment.price_ms(each) for each in chosen]),
        num_params=np.array([space.num_params(each) for each in chosen], dtype=np.int64),
        num_macs=np.array([space.num_macs(each) for each in chosen], dtype=np.int64),
        scores=tuple(known[each.arch_id] for each in chosen),
    )


def _order(frame: pd.DataFrame) -> dict[str, int]:
    """The prompts, those first that most architectures were scored on; as the store has them, not as the config."""
    prompts = frame.groupby("prompt_id").agg(num=("arch_id", "nunique"), seed=("noise_seed", "first")).reset_index()
    ordered = prompts.sort_values(["num", "seed"], ascending=[False, True])["prompt_id"]
    return {str(prompt): index for index, prompt in enumerate(ordered)}


def _by_architecture(frame: pd.DataFrame, order: dict[str, int], *, score: str) -> dict[str, np.ndarray]:
    """Scores in the order of the prompts, by architecture, as far as there is no gap."""
    frame = frame.assign(index=frame["prompt_id"].map(order)).dropna().sort_values("index")
    known = {}
    for arch_id, part in frame.groupby("arch_id"):
        whole = int((part["index"].to_numpy() == np.arange(len(part))).cumprod().sum())
        if whole:
            known[str(arch_id)] = part[score].to_numpy(dtype=np.float64)[:whole]
    return known


def _num_searched(known: dict[str, np.ndarray], architectures: dict[int, Architecture], num_blocks: int) -> int:
    """The most blocks whose sub-space is recorded as a whole."""
    for num in range(num_blocks, 0, -1):
        if all(architectures[mask].arch_id in known for mask in range(2**num)):
            return num
    raise UserError("no sub-space is recorded as a whole yet; let `experiments.tabular.record` go on")


if __name__ == "__main__":
    run(main)
