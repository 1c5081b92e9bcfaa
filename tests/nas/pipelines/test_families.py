"""Our sampling against diffusers' own pipelines, for every family of checkpoints; and what of theirs is refused."""

import gc
import json
import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file

import nas.evaluation.captions.embedder
from nas.evaluation.pictures import Drawer
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.conditioning import Conditioning
from nas.pipelines.convert import convert_checkpoint
from nas.pipelines.folder import PipelineParts, load_pipeline, load_text_encoders
from nas.pipelines.index import check_pipeline_folder, read_pipeline_index
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import DETERMINISTIC_SCHEDULERS, SamplingProtocol
from nas.pipelines.sampling import initial_noise, sample_latents
from nas.pipelines.schedulers import make_scheduler as make
from nas.pipelines.text_encoders import TextEncoders, too_long
from nas.scores.prompts import ValidationSet
from search_spaces.folders.loading import ModelFolderError, load_unet, read_unet_config
from search_spaces.searched_unet import SearchedUNet
from search_spaces.supernet import Supernet
from tests.folders import KINDS, VAE_SCALE, XL_KINDS, write_pipeline
from tests.single_file import write_single_file

CAPTIONS = ["a red circle", "a small blue square on a black background"]
NUM_STEPS = 5  # PNDM takes no fewer
# One text encoder and two, with as few blocks as there are: for what does not depend on the UNet.
ONE_OF_EACH = ("bk-sdm-small", "koala")
SAME_PICTURE = 1e-5  # largest difference of a colour in [0, 1]; seen: 0


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("pipelines")
    return {kind: write_pipeline(base / kind, kind=kind, width=16) for kind in KINDS}


@pytest.fixture(scope="module")
def unets(folders: dict[str, Path]) -> dict[str, UNet2DConditionModel]:
    """UNets of some folders, loaded once: for what is about the other parts."""
    return {kind: load_unet(folders[kind]) for kind in ("sd2", *ONE_OF_EACH)}


def ours(
    folder: Path,
    protocol: SamplingProtocol,
    noise: torch.Tensor,
    *,
    unet: torch.nn.Module | None = None,
    variant: str | None = None,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    parts = PipelineParts.load(ModelFolder(folder, variant=variant), dtype=dtype)
    size_px = (noise.shape[2] * VAE_SCALE, noise.shape[3] * VAE_SCALE)
    latents = sample_latents(
        unet or load_unet(folder, variant=variant, dtype=dtype),
        scheduler=make(protocol.scheduler, config=parts.scheduler_config),
        protocol=protocol,
        noise=noise,
        text=parts.embed(CAPTIONS, size_px=size_px),
        empty=parts.embed([""], size_px=size_px),
    )
    return parts.decode(latents)


@torch.inference_mode()
def theirs(pipeline: Any, protocol: SamplingProtocol, noise: torch.Tensor, folder: Path) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    if type(pipeline.scheduler).__name__ != protocol.scheduler:
        pipeline.scheduler = make(protocol.scheduler, config=dict(pipeline.scheduler.config))
    images = pipeline(
        CAPTIONS,
        num_inference_steps=protocol.num_steps,
        guidance_scale=protocol.guidance_scale,
        latents=noise,
        output_type="np",
    ).images
    return torch.from_numpy(images).permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("kind", "guidance_scale"), [*((kind, 5.0) for kind in KINDS), *((kind, 1.0) for kind in ONE_OF_EACH)]
)
def test_pictures_equal_those_of_diffusers(kind: str, guidance_scale: float, folders: dict[str, Path]) -> None:
    folder = folders[kind]
    own: Any = read_pipeline_index(folder).scheduler
    protocol = SamplingProtocol(num_steps=NUM_STEPS, guidance_scale=guidance_scale, scheduler=own)
    noise = initial_noise([11, 12], shape=(4, 8, 8))
    expected = theirs(DiffusionPipeline.from_pretrained(folder), protocol, noise, folder)
    pictures = ours(folder, protocol, noise)
    assert pictures.shape == (2, 3, 64, 64)
    assert (pictures[0] - pictures[1]).abs().max() > 0.01
    assert (pictures - expected).abs().max() < SAME_PICTURE


@pytest.mark.parametrize("scheduler", DETERMINISTIC_SCHEDULERS)
@pytest.mark.parametrize("kind", ["sd2", "koala"])
def test_any_deterministic_scheduler_draws_what_diffusers_draws(
    kind: str, scheduler: Any, folders: dict[str, Path], unets: dict[str, UNet2DConditionModel]
) -> None:
    num_steps = NUM_STEPS if scheduler == "PNDMScheduler" else 4  # solvers of order 3 need as many
    protocol = SamplingProtocol(num_steps=num_steps, guidance_scale=3, scheduler=scheduler)
    noise = initial_noise([3, 4], shape=(4, 8, 8))
    pipeline = DiffusionPipeline.from_pretrained(folders[kind], unet=unets[kind])
    expected = theirs(pipeline, protocol, noise, folders[kind])
    assert (ours(folders[kind], protocol, noise, unet=unets[kind]) - expected).abs().max() < SAME_PICTURE


# Every setting of a folder's parts that diffusers' pipelines read: (part, setting, value).
SETTINGS = [
    ("vae", "scaling_factor", 0.5),
    ("vae", "shift_factor", 0.3),
    ("vae", "latents_mean", [0.1, 0.2, -0.3, 0.4]),
    ("vae", "force_upcast", False),
    ("text_encoder", "use_attention_mask", True),
    ("text_encoder", "hidden_act", "gelu"),
    ("text_encoder", "layer_norm_eps", 0.5),
    ("tokenizer", "model_max_length", 6),
    ("tokenizer", "pad_token", "!"),
    ("scheduler", "prediction_type", "v_prediction"),
    ("scheduler", "timestep_spacing", "trailing"),
    ("scheduler", "timestep_spacing", "linspace"),
    ("scheduler", "rescale_betas_zero_snr", True),
    ("scheduler", "use_karras_sigmas", True),
    ("scheduler", "steps_offset", 7),
    ("scheduler", "beta_schedule", "linear"),
    ("", "force_zeros_for_empty_prompt", False),
]


@pytest.mark.parametrize("kind", ONE_OF_EACH)
@pytest.mark.parametrize(("part", "setting", "value"), SETTINGS, ids=lambda value: str(value)[:20])
@pytest.mark.filterwarnings("ignore:The configuration file of this scheduler:FutureWarning")  # `steps_offset`
def test_every_setting_of_a_folder_means_what_it_means_to_diffusers(
    kind: str,
    part: str,
    setting: str,
    value: Any,
    folders: dict[str, Path],
    unets: dict[str, UNet2DConditionModel],
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(folders[kind], tmp_path / "other"))
    parts = [part] if part != "tokenizer" or kind not in XL_KINDS else ["tokenizer", "tokenizer_2"]
    scheduler: Any = "EulerDiscreteScheduler"
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text()) | {"_class_name": scheduler}
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(config))
    edit(folder, scheduler=["diffusers", scheduler])
    names = {"scheduler": "scheduler_config.json", "tokenizer": "tokenizer_config.json", "": "model_index.json"}
    more = {"latents_std": [1.0, 0.5, 2.0, 3.0]} if setting == "latents_mean" else {}
    for each in parts:
        path = folder / each / names.get(part, "config.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {setting: value} | more))
    protocol = SamplingProtocol(num_steps=3, guidance_scale=3, scheduler=scheduler)
    noise = initial_noise([3, 4], shape=(4, 8, 8))
    expected = theirs(DiffusionPipeline.from_pretrained(folder, unet=unets[kind]), protocol, noise, folder)
    assert (ours(folder, protocol, noise, unet=unets[kind]) - expected).abs().max() < SAME_PICTURE


def test_words_of_several_vectors_are_read_as_diffusers_reads_them(folders: dict[str, Path], tmp_path: Path) -> None:
    """A textual inversion of two vectors, saved into the folder."""
    folder = Path(shutil.copytree(folders["sd1"], tmp_path / "inverted"))
    pipeline = DiffusionPipeline.from_pretrained(folder)
    pipeline.load_textual_inversion({"<ring>": torch.randn(2, 32)}, token="<ring>")
    pipeline.save_pretrained(folder)
    parts = PipelineParts.load(ModelFolder(folder))
    expected = pipeline.encode_prompt("a <ring>", "cpu", 1, False)[0]
    assert torch.allclose(parts.embed(["a <ring>"], size_px=(64, 64)).embeddings, expected, atol=1e-6)
    captions = ["a <ring>", "a " * 99 + "<ring>", "a " * 21 + "<ring>"]
    assert too_long(captions, tokenizers=parts.text_encoders.tokenizers) == [1, 2], "two of its 25 tokens are one word"


def test_captions_that_are_cut_alarm_nobody(folders: dict[str, Path]) -> None:
    """The library would say that their embedding ends in "indexing errors"."""
    parts = PipelineParts.load(ModelFolder(folders["sd1"]))
    assert too_long(["a " * 99], tokenizers=parts.text_encoders.tokenizers) == [0]
    parts.embed(["a " * 99], size_px=(64, 64))
    (tokenizer,) = parts.text_encoders.tokenizers
    assert not tokenizer.deprecation_warnings, "what it has warned of"


def test_tokenizers_that_disagree_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["sdxl"], tmp_path / "other"))
    path = folder / "tokenizer_2" / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"model_max_length": 6}))
    with pytest.raises(ModelFolderError, match=r"must have the same `model_max_length`, but got 6 and 24; restore"):
        PipelineParts.load(ModelFolder(folder))


@pytest.mark.filterwarnings("ignore:`upcast_vae` is deprecated:FutureWarning")  # diffusers' own, of its own call
@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_half_precision_of_a_variant_draws_what_diffusers_draws(kind: str, tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / kind, kind=kind, width=16, dtype=torch.float16, variant="fp16")
    protocol = SamplingProtocol(num_steps=2, guidance_scale=3, scheduler="DDIMScheduler")
    noise = initial_noise([3, 4], shape=(4, 8, 8)).half()
    pipeline = DiffusionPipeline.from_pretrained(folder, variant="fp16", dtype=torch.float16)
    pictures = ours(folder, protocol, noise, variant="fp16", dtype=torch.float16)
    assert (pictures - theirs(pipeline, protocol, noise, folder)).abs().max() < 1e-3, "the last bits of float16"
    parts = PipelineParts.load(ModelFolder(folder, variant="fp16"), dtype=torch.float16)
    assert parts.autoencoder.vae.dtype == (torch.float32 if kind in XL_KINDS else torch.float16), (
        "SDXL's would overflow"
    )


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_a_pipeline_loads_through_the_checked_door(kind: str, folders: dict[str, Path]) -> None:
    protocol = SamplingProtocol(num_steps=2, guidance_scale=3, scheduler="DDIMScheduler")
    noise = initial_noise([3, 4], shape=(4, 8, 8))
    checked = theirs(load_pipeline(ModelFolder(folders[kind])), protocol, noise, folders[kind])
    assert torch.equal(
        checked, theirs(DiffusionPipeline.from_pretrained(folders[kind]), protocol, noise, folders[kind])
    )


def test_latents_with_statistics_are_scaled_as_diffusers_scales_them(tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "playground", kind="koala", width=16)
    path = folder / "vae" / "config.json"
    statistics = {"latents_mean": [0.1, -0.2, 0.3, 0.4], "latents_std": [1.5, 0.5, 2.0, 1.0]}
    path.write_text(json.dumps(json.loads(path.read_text()) | statistics))
    protocol = SamplingProtocol(num_steps=2, guidance_scale=3, scheduler="DDIMScheduler")
    noise = initial_noise([3, 4], shape=(4, 8, 8))
    expected = theirs(DiffusionPipeline.from_pretrained(folder), protocol, noise, folder)
    assert (ours(folder, protocol, noise) - expected).abs().max() < SAME_PICTURE
    parts = PipelineParts.load(ModelFolder(folder))
    pictures = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    plain = parts.autoencoder.vae.encode(pictures * 2 - 1).latent_dist.mean
    mean, std = (torch.tensor(statistics[f"latents_{name}"]).view(1, 4, 1, 1) for name in ("mean", "std"))
    assert torch.allclose(parts.encode(pictures), (plain - mean) * 0.13025 / std, atol=1e-6)


@pytest.mark.parametrize("zeros", [True, False])
def test_no_text_is_zeros_exactly_where_the_folder_says_so(zeros: bool, tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "m", kind="koala", width=16)
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"force_zeros_for_empty_prompt": zeros}))
    text = PipelineParts.load(ModelFolder(folder)).embed(["a ring", ""], size_px=(64, 48))
    assert text.pooled is not None
    assert text.time_ids is not None
    assert text.embeddings[0].any()
    assert text.embeddings[1].any().item() is not zeros
    assert text.pooled[1].any().item() is not zeros
    assert text.time_ids.tolist() == [[64, 48, 0, 0, 64, 48]] * 2
    protocol = SamplingProtocol(num_steps=2, guidance_scale=3, scheduler="DDIMScheduler")
    noise = initial_noise([3, 4], shape=(4, 8, 8))
    expected = theirs(DiffusionPipeline.from_pretrained(folder), protocol, noise, folder)
    assert (ours(folder, protocol, noise) - expected).abs().max() < SAME_PICTURE


@pytest.mark.parametrize("kind", XL_KINDS)
def test_a_searched_unet_of_two_text_encoders_loads(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders[kind], tmp_path / "found"))
    base = read_unet_config(folder)
    supernet = Supernet(load_unet(folder))
    chosen = next(a for a in supernet.space.removals(supernet.space.base) if "resnet" in str(a))
    architecture = chosen.apply(supernet.space.base)
    searched = SearchedUNet.from_supernet(
        supernet.materialise(architecture), architecture=architecture, base_config=base
    )
    shutil.rmtree(folder / "unet")
    searched.save_pretrained(folder / "unet")
    index = json.loads((folder / "model_index.json").read_text())
    index["unet"] = ["search_spaces.searched_unet", "SearchedUNet"]
    (folder / "model_index.json").write_text(json.dumps(index))
    protocol = SamplingProtocol(num_steps=2, guidance_scale=3, scheduler="EulerDiscreteScheduler")
    noise = initial_noise([3, 4], shape=(4, 8, 8))
    pipeline = load_pipeline(ModelFolder(folder))
    assert isinstance(pipeline.unet, SearchedUNet)
    assert (ours(folder, protocol, noise) - theirs(pipeline, protocol, noise, folder)).abs().max() < SAME_PICTURE


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        (
            {"_class_name": "StableDiffusion3Pipeline"},
            r"must be StableDiffusionPipeline or StableDiffusionXLPipeline, but got 'StableDiffusion3Pipeline'; choose",
        ),
        *(
            ({"_class_name": name}, f"must be StableDiffusionPipeline or StableDiffusionXLPipeline, but got '{name}'")
            for name in ("StableDiffusionDepth2ImgPipeline", "StableDiffusionInpaintPipeline", "FluxPipeline")
        ),
        (
            {"text_encoder": ["transformers", "T5EncoderModel"], "vae": ["diffusers", "AutoencoderTiny"]},
            r"`vae` must be AutoencoderKL, but got AutoencoderTiny; `text_encoder` must be CLIPTextModel, but got T5",
        ),
        ({"tokenizer_2": [None, None]}, r"`tokenizer_2` must be CLIPTokenizer or CLIPTokenizerFast, but got None"),
        ({"scheduler": 3}, r"`scheduler` must be null or a list of 2 to 2 entries, each .*, but got 3"),
    ],
)
def test_other_pipelines_are_refused_by_name(
    changes: dict[str, Any], law: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders["sdxl"], tmp_path / "other"))
    edit(folder, **changes)
    with pytest.raises(ModelFolderError, match=law):
        PipelineParts.load(ModelFolder(folder))


def test_an_index_must_be_json(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["sd1"], tmp_path / "other"))
    for text in ("{", "[1]", '"x"'):
        (folder / "model_index.json").write_text(text)
        with pytest.raises(ModelFolderError, match=r"model_index\.json must be (JSON|a JSON object)"):
            check_pipeline_folder(folder)


def test_unets_that_want_more_than_text_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["sd1"], tmp_path / "inpainting"))
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"in_channels": 9, "addition_embed_type": "text_time"}))
    law = r"(?s)`in_channels` .* must be the autoencoder's 4 .*, but got 9: .*`addition_embed_type` .* must be None"
    with pytest.raises(ModelFolderError, match=law):
        check_pipeline_folder(folder)


def test_parts_of_two_text_encoders_are_all_asked_for(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["sdxl"], tmp_path / "partial"))
    shutil.rmtree(folder / "tokenizer_2")
    (folder / "text_encoder_2" / "model.safetensors").unlink()
    law = (
        r"not a StableDiffusionXLPipeline folder: it has no tokenizer_2/tokenizer_config\.json, text_encoder_2/\*\.saf"
    )
    with pytest.raises(ModelFolderError, match=law):
        check_pipeline_folder(folder)
    with pytest.raises(ModelFolderError, match=r"(?s)of the variant 'fp16' were .*vae.*text_encoder.*unet"):
        check_pipeline_folder(folders["sdxl"], variant="fp16")


def test_text_encoders_are_whole_or_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["sdxl"], tmp_path / "damaged"))
    path = folder / "text_encoder_2" / "model.safetensors"
    weights = load_file(path)
    absent = {name: weight for name, weight in weights.items() if "final_layer_norm" not in name}
    save_file(absent, path, metadata={"format": "pt"})
    with pytest.raises(
        ModelFolderError,
        match=r"2 tensors are absent \(final_layer_norm\.weight, .*; restore",
    ):
        PipelineParts.load(ModelFolder(folder))
    name = next(name for name in weights if "final_layer_norm.bias" in name)
    save_file(weights | {name: torch.zeros(5)}, path, metadata={"format": "pt"})
    with pytest.raises(ModelFolderError, match=r"1 tensor has another shape \(final_layer_norm\.bias is \[5\]"):
        PipelineParts.load(ModelFolder(folder))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelFolderError, match="must be a whole safetensors file"):
        load_pipeline(ModelFolder(folder))


def test_conditionings_join_only_with_their_kind() -> None:
    plain = Conditioning(embeddings=torch.zeros(2, 3, 4))
    added = Conditioning(embeddings=torch.zeros(1, 3, 4), pooled=torch.ones(1, 5), time_ids=torch.ones(1, 6))
    assert len(plain.followed_by(plain)) == 4
    assert len(added.expand(3).followed_by(added)) == 4
    with pytest.raises(ValueError, match="only conditionings of the same kind of UNet can be joined"):
        plain.followed_by(added)
    with pytest.raises(ValueError, match=r"of equal length, but got lengths \[1, 2, 1\]"):
        Conditioning(embeddings=torch.zeros(1, 3, 4), pooled=torch.ones(2, 5), time_ids=torch.ones(1, 6))
    with pytest.raises(ValueError, match=r"but got lengths \[1, 1\]"):
        Conditioning(embeddings=torch.zeros(1, 3, 4), pooled=torch.ones(1, 5))


def test_the_scale_of_the_autoencoder_is_read_from_it(folders: dict[str, Path]) -> None:
    assert PipelineParts.load(ModelFolder(folders["sd1"])).autoencoder.scale == VAE_SCALE


@pytest.mark.filterwarnings("ignore:The configuration file of this scheduler:FutureWarning")  # outdated on purpose
def test_an_outdated_scheduler_is_corrected_as_diffusers_corrects_it(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["sd2"], tmp_path / "outdated"))
    path = folder / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text())
    del config["steps_offset"], config["clip_sample"]
    path.write_text(json.dumps(config))
    protocol = SamplingProtocol(num_steps=3, guidance_scale=3, scheduler="DDIMScheduler")
    noise = initial_noise([3, 4], shape=(4, 8, 8))
    expected = theirs(DiffusionPipeline.from_pretrained(folder), protocol, noise, folder)
    assert (ours(folder, protocol, noise) - expected).abs().max() < SAME_PICTURE


def test_damaged_small_parts_are_named(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["sd1"], tmp_path / "damaged"))
    edit(folder, scheduler=["diffusers", "NoSuchScheduler"])
    for load in (PipelineParts.load, load_pipeline):
        with pytest.raises(ModelFolderError, match=r"a scheduler of diffusers .*, but got NoSuchScheduler; name"):
            load(ModelFolder(folder))
    (folder / "tokenizer" / "tokenizer.json").write_text("{")
    with pytest.raises(
        ModelFolderError, match=r"tokenizer/tokenizer\.json must be JSON, but it cannot be read: .*; restore"
    ):
        PipelineParts.load(ModelFolder(folder))
    (folder / "vae" / "config.json").write_text("{")
    with pytest.raises(ModelFolderError, match=r"vae/config\.json must be .*; restore the folder"):
        PipelineParts.load(ModelFolder(folder))


def test_text_encoders_go_once_captions_are_embedded(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    alive = list[Any]()

    def watched(model: ModelFolder) -> TextEncoders:
        encoders = load_text_encoders(model)
        alive.extend(weakref.ref(model) for model in encoders.models)
        return encoders

    monkeypatch.setattr(nas.evaluation.captions.embedder, "load_text_encoders", watched)
    setting = ScoreSetting(
        model=ModelFolder(folders["sdxl"]),
        validation=ValidationSet.from_captions(CAPTIONS, seed=0, chunk_size=2),
        protocol=SamplingProtocol(num_steps=1, guidance_scale=2),
        latent_shape=(4, 8, 8),
    )
    drawer = Drawer(setting)
    gc.collect()
    assert [reference() for reference in alive] == [None, None]
    assert drawer.pictures(load_unet(folders["sdxl"]), chunk=0).shape == (2, 3, 64, 64)


def test_a_folder_as_published_in_2022_loads(folders: dict[str, Path], tmp_path: Path) -> None:
    """Its index names parts that are not fetched, and its text encoder holds positions that are no weights."""
    folder = Path(shutil.copytree(folders["sd1"], tmp_path / "published"))
    edit(
        folder,
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        feature_extractor=["transformers", "CLIPFeatureExtractor"],
        requires_safety_checker=True,
        _diffusers_version="0.6.0",
    )
    path = folder / "text_encoder" / "model.safetensors"
    weights = {f"text_model.{name.removeprefix('text_model.')}": weight for name, weight in load_file(path).items()}
    weights["text_model.embeddings.position_ids"] = torch.arange(16)[None]
    save_file(weights, path, metadata={"format": "pt"})
    (folder / "tokenizer" / "tokenizer.json").unlink()
    protocol = SamplingProtocol(num_steps=5, guidance_scale=3, scheduler="PNDMScheduler")
    noise = initial_noise([3, 4], shape=(4, 8, 8))
    before = ours(folders["sd1"], protocol, noise)
    assert torch.equal(ours(folder, protocol, noise), before)
    assert (theirs(load_pipeline(ModelFolder(folder)), protocol, noise, folder) - before).abs().max() < SAME_PICTURE
    out = tmp_path / "converted"
    convert_checkpoint(write_single_file(tmp_path / "m.safetensors", folders["sd1"]), out=out, config=folder)
    assert torch.equal(ours(out, protocol, noise), before)
