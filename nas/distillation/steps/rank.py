"""What each process of a stage does: the same on one, on several of a machine, and on Ray's."""

import torch

from nas.distillation.steps.job import StageJob
from nas.distillation.steps.losses.answering import Answering, Teacher
from nas.distillation.steps.losses.consistency import Consistency
from nas.distillation.steps.losses.conversion import Conversion
from nas.distillation.steps.losses.ddim import Process, Schedule
from nas.distillation.steps.losses.step_loss import StepDistillation
from nas.distillation.steps.result import write_result
from nas.distillation.steps.sheets import SideBySide
from nas.distillation.steps.stages import StageKind, V
from nas.launching.news import Desk
from nas.launching.recording import Recorder, Recording
from nas.launching.steps import do_steps, open_pictures_of
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.folder import load_text_encoders
from nas.training.launching.fleet import Fleet
from nas.training.loop import Training
from nas.training.objective import Objective
from nas.training.skipping.strategy import Whole
from search_spaces.files.digests import digest_of
from search_spaces.supernet import Supernet


def distil_rank(job: StageJob, fleet: Fleet, /, *, device: torch.device, desk: Desk) -> bool:
    """Distil, from the state where there is one; the first process writes the model when the last step is done.

    Args:
        job: What to distil.
        fleet: Who trains together.
        device: What this process computes on.
        desk: Who is told; only the first process's is asked and told.

    Returns:
        Whether it is done; it is not where somebody stopped it, and then its state stands.

    Raises:
        UserError: Broken pictures, a state of another training, or numbers that are no numbers any more.
        StorageError: The disk refuses.
    """
    torch.set_num_threads(job.config.num_threads)
    settings = job.config.training
    student, teacher = job.student.load(device=device), job.teacher.load(device=device)
    teacher.unet.requires_grad_(False)
    data = open_pictures_of(settings, model=job.model, supernet=student, cache=job.pictures, fleet=fleet, desk=desk)
    training = Training(
        student,
        data=data,
        objective=make_objective(job, teacher=teacher, empty=_nothing(job)),
        strategy=Whole(student.architecture),
        settings=settings,
        num_steps=job.stage.iterations,
        seed=1000 * job.config.seed,
        fleet=fleet,
        state=job.folder.state,
        origin={**job.origin, "stage": digest_of(job.identity())},
    )
    recording = Recording(folder=job.folder, batch_size=settings.batch_size, sample_every=settings.sample_every)

    def record() -> Recorder:
        sheets = SideBySide(job, teacher=teacher.unet, device=device) if job.prompts else None
        return Recorder(recording, training, sheets=sheets)

    if not do_steps(training, record=record, fleet=fleet, device=device, desk=desk):
        return False
    if fleet.rank == 0:
        write_result(job, supernet=student, training=training)
    return True


def make_objective(job: StageJob, /, *, teacher: Supernet, empty: Conditioning) -> Objective:
    """What a stage minimises.

    Args:
        job: The stage.
        teacher: From whom is learned.
        empty: What a UNet is told of one picture without text.
    """
    stage, loss = job.stage, job.config.loss
    scheduler = job.scheduler()
    process = Process.of(scheduler)
    tutor = Teacher(
        supernet=teacher,
        answering=Answering(kind=job.teacher.kind, process=process, empty=empty, told=job.teacher.told),
    )
    asked = Answering(kind=V, process=process, empty=empty, told=job.student.told)
    match stage.kind:
        case StageKind.CONVERSION:
            return Conversion(teacher=tutor, student=asked, loss=loss)
        case StageKind.CONSISTENCY:
            schedule = Schedule.of(scheduler, num_steps=loss.consistency_steps)
            return Consistency(teacher=tutor, student=asked, schedule=schedule, loss=loss)
        case StageKind.STEPS | StageKind.CONDITIONED:
            return StepDistillation(
                teacher=tutor,
                student=asked,
                schedule=Schedule.of(scheduler, num_steps=stage.num_steps),
                teacher_steps_per_step=stage.teacher_steps // stage.num_steps,
                loss=loss,
            )


def _nothing(job: StageJob) -> Conditioning:
    """What a UNet is told of one picture without text."""
    size = job.student.space.sample_size
    scale = 2 ** (len(job.model.part_config("vae")["block_out_channels"]) - 1)
    return load_text_encoders(job.model).encode([""], size_px=(size[0] * scale, size[1] * scale))
