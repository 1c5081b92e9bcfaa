"""A small model on a device, ready to be trained and judged many times: everything is loaded and embedded once."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from experiments.skipping.study import Study
from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.computing.execution import Execution
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.noise_schedule import NoiseSchedule
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.schedulers import make_scheduler, scheduler_config
from nas.scores.captions import read_captions
from nas.scores.prompts import ValidationSet
from nas.training.captioned_pictures import encode_pictures
from nas.training.data.readers.metadata import read_folder
from nas.training.denoising import Denoising
from nas.training.latent_set import LatentSet
from nas.training.loop import Training
from nas.training.settings import RobustTrainingSettings
from nas.training.skipping.making import skip_strategy
from nas.training.skipping.settings import Skipping
from search_spaces.architecture import Architecture
from search_spaces.files.durable.writing import whole
from search_spaces.folders.loading import load_unet
from search_spaces.supernet import Supernet

_CAPTIONS = ("embeddings", "pooled", "time_ids")


class Judged:
    """A supernet and a judge on a device.

    Args:
        study: Model, captions, protocol, device.
        unet: UNet folder.
    """

    def __init__(self, study: Study, unet: Path, /) -> None:
        execution = Execution(device=study.device)
        self.supernet = Supernet(execution.place(load_unet(unet).eval()))
        space = self.supernet.space
        captions = read_captions(Path(study.captions))[: study.num_prompts]
        setting = ScoreSetting(
            model=ModelFolder(Path(study.pipeline)),
            validation=ValidationSet.from_captions(captions, seed=0, chunk_size=study.chunk_size),
            protocol=SamplingProtocol(num_steps=study.sampling_steps, guidance_scale=study.guidance),
            latent_shape=(self.supernet.unet.config.in_channels, *space.sample_size),
            execution=execution,
        )
        self._chunks = range(setting.validation.num_chunks)
        judge = ClipJudge(setting, model=study.clip)
        self._evaluator = Evaluator(setting, score=judge, reference=self.supernet.unet)

    def scores(self, architecture: Architecture, /) -> list[float]:
        """CLIP score of every prompt, with the weights of now."""
        with self.supernet.switched(architecture) as unet:
            return [score for chunk in self._chunks for score in self._evaluator.evaluate(unet, chunk=chunk).scores]


class Trainer:
    """Trains a supernet with the project's own code, on latents and text embeddings that stay on the device."""

    def __init__(self, study: Study, supernet: Supernet, /, *, data: Path) -> None:
        self._study, self._supernet = study, supernet
        self._data = read_data(data, device=study.device)
        protocol = SamplingProtocol(num_steps=study.sampling_steps)
        scheduler = make_scheduler(protocol.scheduler, config=scheduler_config(ModelFolder(Path(study.pipeline))))
        self._schedule = NoiseSchedule(
            alphas_cumprod=scheduler.alphas_cumprod.to(study.device),
            prediction_type=scheduler.config.prediction_type,
        )

    def train(self, architecture: Architecture, skipping: Skipping, /, *, num_steps: int, seed: int) -> list[float]:
        """Train an architecture in place; the losses."""
        self._supernet.switch(architecture)
        settings = RobustTrainingSettings(
            batch_size=self._study.batch_size,
            learning_rate=self._study.learning_rate,
        )
        return Training(
            self._supernet,
            data=self._data,
            objective=Denoising(schedule=self._schedule),
            strategy=skip_strategy(skipping, space=self._supernet.space, architecture=architecture),
            settings=settings,
            num_steps=num_steps,
            seed=seed,
        ).run()


def write_data(path: Path, study: Study, /) -> None:
    """Encode the pictures and captions of a study, on its device, into one file."""
    execution = Execution(device=study.device)
    parts = PipelineParts.load(ModelFolder(Path(study.pipeline)))
    for module in parts.modules:
        execution.place(module)
    height, width = Supernet(load_unet(Path(study.unet))).space.sample_size
    size_px = (height * parts.autoencoder.scale, width * parts.autoencoder.scale)
    encoded = encode_pictures(read_folder(Path(study.pictures)), parts=parts, size_px=size_px)
    tensors = {"latents": encoded.latents, "caption_ids": encoded.caption_ids, "crops": encoded.crops}
    tensors |= {name: getattr(encoded.captions, name) for name in _CAPTIONS}
    with whole(path) as part:
        save_file({name: each.contiguous().cpu() for name, each in tensors.items() if each is not None}, part)


def read_data(path: Path, /, *, device: str) -> LatentSet:
    """What `write_data` wrote, on a device."""
    tensors = load_file(path, device=device)
    captions = Conditioning(**{name: tensors[name] for name in _CAPTIONS if name in tensors})
    return LatentSet(
        latents=tensors["latents"],
        caption_ids=tensors["caption_ids"].cpu(),
        captions=captions,
        crops=tensors["crops"].cpu(),
    )


def start_threads(device: str, /) -> None:
    """One thread a process, which also makes CPU results the same on any machine's number of cores."""
    torch.set_num_threads(1)
    if device.startswith("cuda"):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
