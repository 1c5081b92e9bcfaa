"""What a stage gives: a pipeline folder that plain diffusers samples in the steps that were learned."""

import json
from typing import Any

from nas.distillation.steps.card import card
from nas.distillation.steps.job import StageJob
from nas.distillation.steps.sampler import sampler_of
from nas.export.forms import write_pipeline
from nas.pipelines.index import INDEX
from nas.runs.records.tenths import first_tenth, last_tenth
from nas.training.loop import Training
from search_spaces.files.digests import files_digest
from search_spaces.files.durable.writing import whole, write_text
from search_spaces.files.strict_json import read_json_object
from search_spaces.folders.weight_files import model_files
from search_spaces.supernet import Supernet


def write_result(job: StageJob, /, *, supernet: Supernet, training: Training) -> None:
    """Write the pipeline folder, whole or not at all, and what it is; the state goes.

    Raises:
        StorageError: The disk refuses; the same command writes it from the state.
    """
    out, stage, losses = job.folder.pipeline, job.stage, training.losses
    supernet.unet.to("cpu")
    report: dict[str, Any] = {
        "stage": stage.name,
        "kind": stage.kind,
        "student": job.student.name,
        "teacher": job.teacher.name,
        "teacher_steps": stage.teacher_steps,
        "num_steps": stage.num_steps,
        "iterations": training.num_steps,
        "first_loss": first_tenth(losses),
        "last_loss": last_tenth(losses),
        "arch_id": training.architecture.arch_id,
        "num_params": sum(each.numel() for each in supernet.named_parameters(training.architecture).values()),
        "guidance": None if job.student.told is None else "told",
    }
    with whole(out, check=lambda old: None) as part:  # ours: it stands in a directory of a training
        part.mkdir()
        written = write_pipeline(
            part, supernet, architecture=training.architecture, base_config=job.student.base, model=job.model
        )
        scheduler = sampler_of(job.model, kind=stage.kind)
        for file in (part / "scheduler").iterdir():
            file.unlink()
        scheduler.save_pretrained(part / "scheduler")
        index = read_json_object(part / INDEX) | {"scheduler": ["diffusers", type(scheduler).__name__]}
        write_text(part / INDEX, json.dumps(index, indent=2) + "\n")
        report |= {"loads_as": written.loads_as, "scheduler": type(scheduler).__name__}
        write_text(part / "README.md", card(report, guidance_scale=job.config.samples.guidance_scale))
    unet = out / "unet"
    job.folder.end({**report, "unet": files_digest(model_files(unet, variant=job.model.variant), folder=unet)})
