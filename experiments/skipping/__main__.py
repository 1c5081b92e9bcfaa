r"""How often should robust training skip blocks? Every case with every seed, each in a process of its own.

    python -m experiments.skipping --unet runs/shapes/unet-plain --work runs/skipping --out runs/skipping/study.csv

Cases: skip probability 0, 0.05, 0.1 and 0.2, constant and ramped, and the sandwich. Measured: CLIP score of the full
UNet, the same after removals that the single-removal scores lead to, and how well these scores foretell the order of
scores after recovery (Spearman). A second call goes on where the first stopped. The question's answer is the default
of `robust_training.drop_probability`; a case that is best in all three measures over all seeds would refute it.

On a GPU all processes share it: `--device cuda --processes 12 --chunk-size 512`.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from experiments.command import run
from experiments.skipping.one import DATA, folder_of
from experiments.skipping.results import picture, pooled, results, summary
from experiments.skipping.study import CASES, Study
from nas.reports.writing import write_figure
from search_spaces.files.durable.writing import write_text
from search_spaces.files.user_error import UserError
from search_spaces.shapes import CAPTIONS_FILE, OPEN_CLIP_DIR, PIPELINE_DIR
from search_spaces.shapes.__main__ import write_pictures

PICTURES_SEED = 5


def main(
    unet: Annotated[Path, typer.Option(help="UNet folder to start from, trained without skipping")],
    work: Annotated[Path, typer.Option(help="folder of everything between; a second call goes on from it")],
    out: Annotated[Path, typer.Option(help="CSV file; the picture stands beside it as .png")],
    pipeline: Annotated[Path, typer.Option(help="pipeline folder of the other parts")] = PIPELINE_DIR,
    clip: Annotated[Path, typer.Option(help="OpenCLIP folder of the judge")] = OPEN_CLIP_DIR,
    captions: Annotated[Path, typer.Option(help="held-out captions")] = CAPTIONS_FILE,
    pictures: Annotated[Path | None, typer.Option(help="captioned pictures; none = the bundled renderer's")] = None,
    num_pictures: Annotated[int, typer.Option(help="how many the renderer makes")] = 4096,
    case: Annotated[list[str] | None, typer.Option(help=f"one of {', '.join(CASES)}; may be repeated")] = None,
    seeds: Annotated[int, typer.Option(help="number of seeds")] = 3,
    steps: Annotated[int, typer.Option(help="training steps with skipping")] = 1000,
    recovery_steps: Annotated[int, typer.Option(help="training steps after a removal")] = 100,
    batch_size: Annotated[int, typer.Option(help="pictures per training step")] = 64,
    learning_rate: Annotated[float, typer.Option(help="peak")] = 3e-4,
    num_prompts: Annotated[int, typer.Option(help="captions that every UNet is judged on")] = 256,
    chunk_size: Annotated[int, typer.Option(help="prompts that are drawn at once")] = 64,
    sampling_steps: Annotated[int, typer.Option(help="denoising steps per picture")] = 8,
    guidance: Annotated[float, typer.Option(help="of the sampling")] = 3.0,
    num_removals: Annotated[int, typer.Option(help="single removals that are scored")] = 999,
    num_recovered: Annotated[int, typer.Option(help="removals that are trained afterwards")] = 12,
    found_share: Annotated[float, typer.Option(help="multiply-accumulates left by the found removals")] = 0.75,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    processes: Annotated[int, typer.Option(help="cases at once")] = 1,
) -> None:
    """How often should robust training skip blocks?"""
    cases = list(case or CASES)
    if unknown := [name for name in cases if name not in CASES]:
        raise UserError(f"`--case` must be among {list(CASES)}, but got {unknown}")
    if not pictures:
        pictures = work / "pictures"
        if not pictures.exists():
            write_pictures(pictures, num=num_pictures, seed=PICTURES_SEED)
    study = Study(
        unet=str(unet),
        pipeline=str(pipeline),
        clip=str(clip),
        captions=str(captions),
        pictures=str(pictures),
        steps=steps,
        recovery_steps=recovery_steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        num_prompts=num_prompts,
        chunk_size=chunk_size,
        sampling_steps=sampling_steps,
        guidance=guidance,
        num_removals=num_removals,
        num_recovered=num_recovered,
        found_share=found_share,
        device=device,
    )
    study.write(work)
    if not (work / DATA).exists():
        from experiments.skipping.bench import write_data

        write_data(work / DATA, study)
    jobs = [(name, seed) for seed in range(seeds) for name in cases]  # a seed of all cases says more than all of one
    with ThreadPoolExecutor(processes) as pool:
        done = pool.map(lambda job: _run(work, *job), jobs)
        failed = [job for job, code in zip(jobs, track(done, total=len(jobs)), strict=True) if code]
    frame = results(work, cases=cases, seeds=list(range(seeds)))
    if not frame.empty:
        write_text(out, frame.to_csv(index=False))
        write_figure(picture(frame), out.with_suffix(".png"))
        print(f"{summary(frame)}\n\n{pooled(frame)}")
    if failed:
        print(f"{len(failed)} failed: {failed}; see log.txt in their folders, and run the same command again")
        raise typer.Exit(1)


def _run(work: Path, case: str, seed: int) -> int:
    """Do a case with a seed in a process of its own, which says what it has to say to a file."""
    folder = folder_of(work, case, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("w", encoding="utf-8") as log:
        command = [sys.executable, "-m", "experiments.skipping.one", str(work), case, str(seed)]
        return subprocess.run(command, stdout=log, stderr=log, check=False).returncode


if __name__ == "__main__":
    run(main)
