"""Record what every removal of the bundled model scores, prompt by prompt: the data of this study.

    python -m experiments.decisions.record --space any --num-prompts 512 --out runs/decisions

Cost: about 40 s of an idle core per removal and 512 captions of four steps; a second call goes on where the first
stopped, and scores lie in `OUT/scores` by content. `--steps 50` draws as the paper does, `--device cuda` on a GPU.
`--num-removals 12` records some of them, evenly from all. Writes `OUT/SPACE.parquet`, one row per architecture and
prompt, as far as they are known:

| column | what |
|---|---|
| `action` | such as "-resnet[mid,0]"; "" = the base itself |
| `arch_id` | digest of the architecture after it |
| `saved_ms` | predicted milliseconds that it saves in one pass of the UNet |
| `prompt` | number of the caption, from 0 |
| `caption` | its text |
| `score_name` | such as "clip" |
| `score` | of the picture that the architecture makes of the caption |
| `passes` | UNet passes of one picture |
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.progress import track

from experiments.command import run
from experiments.decisions.bundled import (
    NUM_STEPS,
    PASSES_PER_STEP,
    prices_of,
    scorer_of,
    scores_of,
    space_of,
    validation_of,
)
from experiments.skipping.study import evenly
from nas.search.scoring.scorer import Scorer
from search_spaces.files.durable.writing import whole
from search_spaces.unets.space import UNetSpace
from search_spaces.unets.stock_space import SpaceForm


def main(
    out: Annotated[Path, typer.Option(help="folder of the recording and of the scores so far")],
    space: Annotated[SpaceForm, typer.Option(help="any: 38 removals; stock: the compound ones")] = SpaceForm.ANY,
    num_prompts: Annotated[int, typer.Option(min=1, help="held-out captions")] = 512,
    chunk_size: Annotated[int, typer.Option(min=1, help="captions that are drawn at once; part of the scores")] = 64,
    num_removals: Annotated[int | None, typer.Option(min=2, help="evenly from all; left out = all")] = None,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="denoising steps of a picture")] = NUM_STEPS,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
) -> None:
    """Record what every removal of the bundled model scores, prompt by prompt."""
    searched = space_of(space)
    validation = validation_of(num_prompts, chunk_size=chunk_size)
    scorer = scorer_of(validation, folder=out / "scores", num_steps=steps, device=device)
    captions = [prompt.caption for prompt in validation.prompts]
    frame = pd.DataFrame()
    for rows in _rows(searched, scorer, captions, num_removals):
        frame = pd.concat([frame, rows.assign(passes=steps * PASSES_PER_STEP)], ignore_index=True)
        with whole(out / f"{space.value}.parquet") as file:
            frame.to_parquet(file)
    print(f"{frame['action'].nunique()} architectures on {num_prompts} captions: {out / f'{space.value}.parquet'}")


def _rows(space: UNetSpace, scorer: Scorer, captions: list[str], num_removals: int | None) -> Iterator[pd.DataFrame]:
    price_ms = prices_of(space)
    base_ms = price_ms(space.base)
    removals = {str(action): action for action in sorted(space.removals(space.base))}
    options: dict[str, Any] = {"": space.base}
    for name in evenly(list(removals), num_removals or len(removals)):
        options[name] = removals[name].apply(space.base)
    for action, architecture in track(options.items(), description="scoring"):
        yield pd.DataFrame(
            {
                "action": action,
                "arch_id": architecture.arch_id,
                "saved_ms": base_ms - price_ms(architecture),
                "prompt": range(len(captions)),
                "caption": captions,
                "score_name": "clip",
                "score": scores_of(scorer, architecture),
            }
        )


if __name__ == "__main__":
    run(main)
