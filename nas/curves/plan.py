"""Plan: all that an evaluation will draw and compute, found and checked before any model is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from nas.curves.asked.captions import captions_of
from nas.curves.asked.settings import EvaluationSettings
from nas.curves.asked.subjects import find_subject, named_apart
from nas.curves.features import FeatureSpec, find_features
from nas.curves.store import ChunkKey
from nas.curves.worker import CurveSpec, DrawingTask
from nas.evaluation.door import Declaration, judges_pictures
from nas.evaluation.registry import ScoreSpec, make_score
from nas.evaluation.settings import CLIP
from nas.metrics.registry import METRICS, Metric
from nas.pipelines.protocol import SamplingProtocol
from nas.pipelines.schedulers import check_sampling
from nas.scores.prompts import ValidationSet
from nas.scores.store import digest_of_prompts
from nas.settings import plain
from nas.training.data.checking import check_pictures
from nas.training.data.readers.example import PictureReader
from nas.training.data.readers.opening import open_pictures
from nas.training.data.settings import DataSettings
from nas.workers.pool import check_pool
from search_spaces.files.digests import digest_of
from search_spaces.files.user_error import UserError

_RULE: Final = 1  # of how pictures are drawn and seen: counts up when it gives other numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be done.

    Attributes:
        settings: What was asked for.
        spec: What workers load.
        names: Of the models, no two the same.
        digests: Of the models.
        score: What the score says of itself.
        score_digests: Of the score with each model.
        reader: Real pictures; None = scores alone.
        metrics: Distances that are wanted.
        left_out: Why others are not, a sentence each.
    """

    settings: EvaluationSettings
    spec: CurveSpec
    names: tuple[str, ...]
    digests: tuple[str, ...]
    score: Declaration
    score_digests: tuple[str, ...]
    reader: PictureReader | None
    metrics: tuple[Metric, ...]
    left_out: tuple[str, ...]

    @property
    def protocols(self) -> tuple[SamplingProtocol, ...]:
        """How pictures are made."""
        return self.settings.protocols()

    @property
    def prompts(self) -> ValidationSet:
        """What is drawn."""
        return self.spec.prompts

    def passes(self, model: int, protocol: SamplingProtocol, /) -> int:
        """UNet passes of one picture; a UNet that is told its guidance needs no second one."""
        told = self.spec.models[model].unet_config().get("time_cond_proj_dim") is not None
        way = replace(protocol, guidance_scale=1.0) if told else protocol
        return replace(self.spec.setting(model), protocol=way).passes_per_picture

    def size_px(self, model: int, /) -> tuple[int, int]:
        """Height and width of a model's pictures."""
        _, height, width = self.spec.setting(model).latent_shape
        scale = 2 ** (len(self.spec.models[model].part_config("vae")["block_out_channels"]) - 1)
        return height * scale, width * scale

    def score_key(self, task: DrawingTask, /) -> ChunkKey:
        """Where scores of a task stand."""
        return self._key(task, f"{self.score.name}-{digest_of({'score': self.score_digests[task.model]})}")

    def feature_key(self, task: DrawingTask, /) -> ChunkKey:
        """Where features of a task stand."""
        assert self.spec.features is not None, "features are wanted"
        return self._key(task, f"features-{digest_of({'features': self.spec.features.digest})}")

    def _key(self, task: DrawingTask, kind: str) -> ChunkKey:
        setting = self.spec.setting(task.model)
        protocol = {
            "rule": _RULE,
            "sampling": plain(task.protocol),
            "execution": plain(self.spec.execution),
            "num_threads": self.spec.num_threads,
            "latent_shape": list(setting.latent_shape),
        }
        return ChunkKey(
            model=self.digests[task.model],
            protocol=digest_of(protocol),
            prompts=digest_of_prompts(self.prompts.chunk(task.chunk)),
            kind=kind,
        )


def make_plan(
    folders: list[str] | tuple[str, ...], /, *, settings: EvaluationSettings, names: Sequence[str] = ()
) -> Plan:
    """Find and check what is asked for.

    Args:
        folders: Whose pictures are evaluated; see `find_subject`.
        settings: How.
        names: What they are called; none = by their folders.

    Raises:
        UserError: Something is missing or does not fit, too few pictures for a metric that was asked for among it.
    """
    if not folders:
        raise UserError("an evaluation needs at least one folder of a model, but got none")
    models = [find_subject(folder) for folder in folders]
    for model in models:
        for protocol in dict.fromkeys((p.scheduler, p.num_steps) for p in settings.protocols()):
            check_sampling(SamplingProtocol(scheduler=protocol[0], num_steps=protocol[1]), model=model)
    check_pool(settings.workers, device=settings.execution.device, training_device=settings.execution.device)
    reader = _opened(settings)
    captions = captions_of(settings, reader=reader)
    everything = ValidationSet.from_captions(captions, seed=settings.seed, chunk_size=settings.chunk_size)
    prompts = ValidationSet(prompts=everything.prompts[: settings.num_captions], chunk_size=settings.chunk_size)
    wanted = settings.metrics != () and reader is not None
    features = find_features(settings.features, clip=settings.clip) if wanted else None
    spec = CurveSpec(
        models=tuple(models),
        prompts=prompts,
        score=_score_spec(settings),
        features=features,
        num_threads=settings.num_threads,
        execution=settings.execution,
    )
    scores = [
        make_score(spec.score.name, settings=spec.score.settings, setting=spec.setting(place))
        for place in range(len(models))
    ]
    if not judges_pictures(scores[0]):
        raise UserError(
            f"an evaluation looks at pictures, but the score `{spec.score.name}` probes the network; choose clip or "
            "another judge of pictures"
        )
    metrics, left_out = _metrics(settings, features)
    return Plan(
        settings=settings,
        spec=spec,
        names=tuple(names or named_apart(models)),
        digests=tuple(model.digest() for model in models),
        score=Declaration.of(scores[0]),
        score_digests=tuple(score.digest for score in scores),
        reader=reader,
        metrics=metrics if reader is not None else (),
        left_out=left_out,
    )


def _opened(settings: EvaluationSettings) -> PictureReader | None:
    if settings.pictures is None:
        return None
    data = DataSettings(images=settings.images)
    reader = open_pictures(settings.pictures, settings=data)
    check_pictures(reader, max_corrupt_share=data.max_corrupt_share)
    return reader


def _score_spec(settings: EvaluationSettings) -> ScoreSpec:
    wanted = settings.of_score
    if wanted.name != CLIP:
        return ScoreSpec(name=wanted.name, settings=wanted.settings)
    assert settings.clip is not None, "the settings ask for it"
    return ScoreSpec(name=CLIP, settings=plain(settings.clip))


def _metrics(settings: EvaluationSettings, features: FeatureSpec | None) -> tuple[tuple[Metric, ...], tuple[str, ...]]:
    """The distances that are wanted, and why some are left out that were not asked for by name."""
    if features is None:
        return (), ("distances, since no real pictures were given (`pictures`)",) if settings.pictures is None else ()
    wanted = [METRICS[name] for name in dict.fromkeys(METRICS if settings.metrics is None else settings.metrics)]
    strangers = [metric for metric in wanted if metric.of_clip and not features.is_clip]
    if strangers and settings.metrics is not None:
        raise UserError(
            f"{strangers[0].label} is defined for CLIP's unit vectors, but `features` are {features.name}; leave it "
            "out, or name an OpenCLIP model"
        )
    left_out = tuple(f"{metric.label}: needs features of CLIP" for metric in strangers)
    return tuple(metric for metric in wanted if metric not in strangers), left_out
