"""A worker that draws by any of several models and looks at what it drew: the score of each picture, its features.

It holds one model at a time, the score that was started with it, and the network of the features.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nas.curves.features import Extractor, FeatureSpec, check_features
from nas.evaluation.door import check_numbers, judges_pictures
from nas.evaluation.registry import ScoreSpec, make_score
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.computing.execution import Execution
from nas.pipelines.folder import PipelineParts
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.sampling import initial_noise, sample_latents
from nas.pipelines.schedulers import make_scheduler
from nas.scores.prompts import ValidationSet
from search_spaces.files.user_error import UserError
from search_spaces.unets.diffusers_config import space_from_config


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSpec:
    """All that a worker needs, on any machine that sees the same folders.

    Attributes:
        models: Whose pictures are evaluated.
        prompts: What they draw.
        score: Of pictures.
        features: None = no distance is wanted.
        num_threads: Part of the protocol.
        execution: Where and how modules run.
    """

    models: tuple[ModelFolder, ...]
    prompts: ValidationSet
    score: ScoreSpec
    features: FeatureSpec | None
    num_threads: int
    execution: Execution

    def setting(self, model: int, /) -> ScoreSetting:
        """What the score of a model's pictures is made in."""
        space = space_from_config(self.models[model].unet_config())
        return ScoreSetting(
            model=self.models[model],
            validation=self.prompts,
            protocol=SamplingProtocol(),
            latent_shape=(space.in_channels, *space.sample_size),
            execution=self.execution,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingTask:
    """Draw a chunk by a model, and look at it.

    Attributes:
        model: Which, by its place.
        protocol: How.
        chunk: Which prompts.
        scored: Whether scores are wanted.
        featured: Whether features are.
    """

    model: int
    protocol: SamplingProtocol
    chunk: int
    scored: bool = True
    featured: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LookingTask:
    """Look at real pictures.

    Attributes:
        chunk: Which of them.
        pictures: uint8 (n, h, w, 3).
    """

    chunk: int
    pictures: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """What was seen of a task's pictures.

    Attributes:
        task: What was asked.
        scores: float32 (n, 1); None where they were not wanted.
        features: float32 (n, d); None where they were not wanted.
    """

    task: DrawingTask | LookingTask
    scores: npt.NDArray[np.float32] | None = None
    features: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Loaded:
    """One model and what belongs to it."""

    place: int
    parts: PipelineParts
    unet: torch.nn.Module
    score: Any
    shape: tuple[int, int, int]


class CurveWorker:
    """Draws and looks.

    Args:
        spec: What to load.
        name: For logs.
    """

    def __init__(self, spec: CurveSpec, /, *, name: str = "in process") -> None:
        torch.set_num_threads(spec.num_threads)
        spec.execution.check()
        self._spec, self._name = spec, name
        self._model: _Loaded | None = None
        self._extract: Extractor | None = None

    def update_weights(self, changed: object, /) -> None:
        """Weights come from the models' folders."""

    def evaluate(self, task: DrawingTask | LookingTask, /) -> Looked:
        """What is seen of a task's pictures."""
        if isinstance(task, LookingTask):
            pictures = torch.from_numpy(np.array(task.pictures)).permute(0, 3, 1, 2).float() / 255
            return Looked(task=task, features=self._features(pictures))
        model = self._loaded(task.model)
        pictures = self._drawn(model, task)
        scores = None
        if task.scored:
            prompts, of = self._spec.prompts.chunk(task.chunk), self._spec.models[task.model].name
            numbers = model.score.judge(pictures, chunk=task.chunk)
            checked = check_numbers(numbers, score=model.score.name, num_prompts=len(prompts), of=of)
            scores = np.asarray(checked, dtype=np.float32)[:, None]
        return Looked(task=task, scores=scores, features=self._features(pictures) if task.featured else None)

    def _features(self, pictures: torch.Tensor) -> npt.NDArray[np.float32]:
        assert self._spec.features is not None, "nobody asks for features that are not named"
        execution = self._spec.execution
        if self._extract is None:
            self._extract = self._spec.features.load(execution.place)
        with execution.autocast():
            found: npt.NDArray[np.float32] = self._extract(pictures.to(execution.device)).float().cpu().numpy()
        check_features(found, name=self._spec.features.name, num_pictures=len(pictures))
        return found

    def _drawn(self, model: _Loaded, task: DrawingTask) -> torch.Tensor:
        """Pictures in [0, 1], seen as a file of eight bits holds them."""
        prompts, device = self._spec.prompts.chunk(task.chunk), self._spec.execution.device
        scale = model.parts.autoencoder.scale
        size_px = (model.shape[1] * scale, model.shape[2] * scale)
        noise = initial_noise([prompt.noise_seed for prompt in prompts], shape=model.shape).to(device)
        with self._spec.execution.autocast():
            latents = sample_latents(
                model.unet,
                scheduler=make_scheduler(task.protocol.scheduler, config=model.parts.scheduler_config),
                protocol=task.protocol,
                noise=noise,
                text=model.parts.embed([prompt.caption for prompt in prompts], size_px=size_px),
                empty=model.parts.embed([""], size_px=size_px),
            )
            pictures = model.parts.decode(latents).float()
        if broken := int((~torch.isfinite(pictures).flatten(1).all(dim=1)).sum()):
            raise UserError(
                f"pictures must be finite, but {broken} of {len(pictures)} of {self._spec.models[task.model].name} by "
                f"{task.protocol.num_steps} steps of {task.protocol.scheduler} are not; use a wider "
                "`execution.precision`, or ask for more steps"
            )
        return (pictures * 255).round() / 255  # as real ones are

    def _loaded(self, place: int) -> _Loaded:
        """A model, loaded if another one was needed before."""
        if self._model is None or self._model.place != place:
            self._model = None  # first, so that two are never held
            folder, execution, setting = self._spec.models[place], self._spec.execution, self._spec.setting(place)
            parts = PipelineParts.load(folder)
            for module in parts.modules:
                execution.place(module)
            unet = execution.place(folder.load_unet())
            execution.compile(unet)
            score = make_score(self._spec.score.name, settings=self._spec.score.settings, setting=setting)
            assert judges_pictures(score), "the plan refuses others"
            score.start(unet)
            self._model = _Loaded(place=place, parts=parts, unet=unet, score=score, shape=setting.latent_shape)
        return self._model
