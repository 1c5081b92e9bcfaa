"""What each process of a decoder distillation does: the same on one, on several of a machine, and on Ray's."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from nas.distillation.decoder.job import DecoderJob
from nas.distillation.decoder.latents import drawn_latents
from nas.distillation.decoder.learning import DecoderTrainee, Fixed, SamePictures, as_data
from nas.distillation.decoder.pruning import pruned
from nas.distillation.decoder.result import write_result
from nas.evaluation.pictures import as_bytes
from nas.launching.news import Desk
from nas.launching.recording import Recorder, Recording
from nas.launching.steps import do_steps, teller_of_encoding
from nas.pipelines.autoencoder import Autoencoder
from nas.pipelines.folder import load_autoencoder
from nas.training.launching.fleet import Fleet
from nas.training.loop import Training
from nas.training.skipping.strategy import Whole
from search_spaces.files.digests import digest_of

_NUM_SHOWN = 8


def distil_rank(job: DecoderJob, fleet: Fleet, /, *, device: torch.device, desk: Desk) -> bool:
    """Distil, from the state where there is one; the first process writes the model when the last step is done.

    Args:
        job: What to distil.
        fleet: Who trains together.
        device: What this process computes on.
        desk: Who is told; only the first process's is asked and told.

    Returns:
        Whether it is done; it is not where somebody stopped it, and then its state stands.

    Raises:
        UserError: A state of another training, or numbers that are no numbers any more.
        StorageError: The disk refuses.
    """
    config = job.config
    torch.set_num_threads(config.num_threads)
    teacher = load_autoencoder(job.model)
    small = pruned(teacher.vae, ratio=config.ratio, criterion=config.channels, seed=config.seed)
    for vae in (teacher.vae, small):
        vae.to(device)
    latents = drawn_latents(job, fleet=fleet, device=device, on_progress=teller_of_encoding(desk, fleet))
    learned, held_out = latents[: config.latents.num], latents[config.latents.num :]
    small.encoder.requires_grad_(False)
    trainee = DecoderTrainee(small, Fixed(digest_of({key: small.config[key] for key in sorted(small.config)})))
    training = Training(
        trainee,
        data=as_data(learned),
        objective=SamePictures(teacher=teacher),
        strategy=Whole(trainee.architecture),
        settings=config.training,
        num_steps=config.training.iterations,
        seed=1000 * config.seed,
        fleet=fleet,
        state=job.folder.state,
        origin={**job.origin, "settings_of_it": digest_of(job.identity())},
    )
    recording = Recording(
        folder=job.folder, batch_size=config.training.batch_size, sample_every=config.training.sample_every
    )

    def record() -> Recorder:
        shown = held_out[:_NUM_SHOWN].to(device)
        return Recorder(recording, training, sheets=_Sheets(teacher, shown) if recording.sample_every else None)

    if not do_steps(training, record=record, fleet=fleet, device=device, desk=desk):
        return False
    if fleet.rank == 0:
        write_result(job, small=small, teacher=teacher, held_out=held_out.to(device), training=training)
    return True


class _Sheets:
    """The teacher's pictures of held-out latents above, the student's below."""

    def __init__(self, teacher: Autoencoder, latents: Float[Tensor, "n c h w"], /) -> None:
        self._teacher, self._latents, self.num_columns = teacher, latents, len(latents)
        self.captions: Sequence[str] = ["teacher"] * len(latents) + ["student"] * len(latents)

    def draw(self, module: torch.nn.Module, /) -> npt.NDArray[np.uint8]:
        """Pictures of both as uint8 (n, h, w, 3)."""
        student = Autoencoder(vae=module, of_sdxl=self._teacher.of_sdxl)
        return as_bytes(torch.cat([self._teacher.decode(self._latents), student.decode(self._latents)]).float())
