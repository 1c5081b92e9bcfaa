"""What a training gives: the base model's pipeline folder with the UNet that was trained."""

import torch

from nas.export.form import ExportForm
from nas.export.forms import write_form
from nas.export.source import ExportSource
from nas.robust_training.job import TrainingJob
from nas.runs.records.tenths import last_tenth
from nas.training.loop import Training
from search_spaces.files.digests import files_digest
from search_spaces.files.durable.writing import whole
from search_spaces.folders.weight_files import model_files
from search_spaces.supernet import Supernet


def write_result(job: TrainingJob, /, *, supernet: Supernet, training: Training) -> None:
    """Write the pipeline folder, whole or not at all, and what it is; the state goes.

    Raises:
        StorageError: The disk refuses; the same command writes it from the state.
    """
    architecture, out = job.start.architecture, job.folder.pipeline
    supernet.unet.to("cpu")
    source = ExportSource(
        architecture=architecture, supernet=supernet, model=job.model, spec={}, config=None, price_ms=None
    )
    with whole(out, check=lambda old: None) as part:  # ours: it stands in a directory of a training
        part.mkdir()
        written = write_form(part, source, form=ExportForm.DIFFUSERS, dtype=torch.float32, batch=1)
    unet, losses = out / "unet", training.losses
    job.folder.end(
        {
            "model": job.model.name,
            "arch_id": architecture.arch_id,
            "loads_as": written.loads_as,
            "unet": files_digest(model_files(unet, variant=job.model.variant), folder=unet),
            "num_steps": training.num_steps,
            "last_loss": last_tenth(losses),
        }
    )
