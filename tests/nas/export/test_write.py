"""Exports: they load without us where they can, are checked before they stand, and never replace what is not theirs."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file, save_file

import nas.export.verify
import nas.export.write
import search_spaces.stock_unet
from nas.algorithms.steps import StopReason
from nas.config.loading import load_config
from nas.config.sections import ExperimentConfig
from nas.drawing.draw import DrawingSettings, draw
from nas.export.form import ExportForm
from nas.export.report import ExportReport
from nas.export.source import ExportError, ExportSource, source_of_run, source_of_spec
from nas.export.verify import VerificationRequest, verify
from nas.export.write import draw_before_after, export
from nas.pipelines.folder import load_pipeline
from nas.pipelines.model_folder import ModelFolder
from nas.runs.checkpoints.weights import CheckpointWarning, weights_digest
from nas.runs.directory import RunDirectory
from nas.runs.spec import FoundArchitecture, read_spec, write_spec
from nas.scores.intervals import mean_interval
from nas.testing.playing import SMALL_UNET
from search_spaces import Action, Architecture, SpaceForm, space_from_config, stock_config
from search_spaces.actions import CopyStart
from search_spaces.files.digests import folder_digest
from search_spaces.files.user_error import UserError
from search_spaces.folders.loading import load_unet, read_unet_config
from search_spaces.known.architectures import KNOWN_ARCHITECTURES, SDXL_CONFIG
from search_spaces.supernet import Supernet
from tests.folders import SMALL_SIZE_PX, write_pipeline
from tests.nas.searching import read_json
from tests.nas.synthetic import small_space, write_wanted
from tests.strangers import MARK, strangers_directory
from tests.strategies import architectures

SPACE = small_space()
STOCK = space_from_config(SMALL_UNET, form=SpaceForm.STOCK)
PROMPTS = ["a red circle", "a small green ring"]
SAME_PICTURE = 2e-2  # of 1: pictures are rounded to 8 bits on the way

LOADED_BY_STRANGERS = """
import json, sys
import numpy as np, torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline
from safetensors.torch import load_file

def ours():
    return {name.partition(".")[0] for name in sys.modules} & {"nas", "search_spaces", "latency"}

*stock, exported, prompts, pictures = sys.argv[1:]
differences = []
for folder, probe in zip(stock[::2], stock[1::2]):
    pipeline = DiffusionPipeline.from_pretrained(folder, use_safetensors=True)
    assert not ours()
    recorded = load_file(probe)
    output = recorded.pop("output")
    with torch.inference_mode():
        found = pipeline.unet(recorded["sample"], recorded["timestep"], recorded["encoder_hidden_states"]).sample
    differences.append((found - output).abs().max().item())

import search_spaces.searched_unet
pipeline = StableDiffusionPipeline.from_pretrained(exported, safety_checker=None, requires_safety_checker=False)
assert ours() == {"search_spaces"}
generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
images = pipeline(json.loads(prompts), num_inference_steps=2, guidance_scale=2.0, generator=generators,
                  output_type="np").images
np.save(pictures, images)
print(json.dumps({"class": type(pipeline.unet).__name__, "num_params": pipeline.unet.num_parameters(),
                  "differences": differences}))
"""


@dataclass(frozen=True, kw_only=True)
class Strangers:
    """What a clean process said of exports that it loaded: first those that need plain diffusers alone."""

    answer: dict[str, Any]
    pictures: Any


def export_run(run: Path, /, *, out: Path, measure: bool = False) -> ExportReport:
    return export(source_of_run(run), out=out, measure=measure)


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExportReport]:
    """Exported from within a stranger's directory, and checked by a process of its own."""
    out = tmp_path_factory.mktemp("exports") / "found"
    with chdir(strangers_directory(out.parent / "stranger")):
        return out, export_run(run, out=out, measure=True)


@pytest.fixture(scope="module")
def strangers(exported: tuple[Path, ExportReport], sd1: Path, tmp_path_factory: pytest.TempPathFactory) -> Strangers:
    """One process for all: a clean one takes ten seconds to import diffusers."""
    folder, arguments = tmp_path_factory.mktemp("strangers"), list[str | Path]()
    for form, name, loads_as in [
        (ExportForm.DIFFUSERS, "bk-sdm-small", "stock config"),
        (ExportForm.NEUTRAL, "snapfusion-table3", "stock config with 5 neutral blocks"),
    ]:
        probe = folder / f"{form}.safetensors"

        def keeping(request: VerificationRequest, probe: Path = probe) -> dict[str, Any]:
            shutil.copy(Path(request.folder) / nas.export.verify.PROBE, probe)
            return verify(request)

        source = source_of_spec(name, model=ModelFolder(sd1))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nas.export.write, "run_verification", keeping)
            report = export(source, out=folder / name, form=form, measure=False)
        assert report.loads_as == loads_as
        arguments += [folder / name, probe]
    arguments += [exported[0], json.dumps(PROMPTS), folder / "pictures.npy"]
    command = [sys.executable, "-c", LOADED_BY_STRANGERS, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=False)
    assert done.returncode == 0, done.stderr
    return Strangers(answer=json.loads(done.stdout.splitlines()[-1]), pictures=np.load(folder / "pictures.npy"))


@pytest.fixture(scope="module")
def named(sd1: Path) -> ExportSource:
    """A named architecture of a base model, loaded once: for what is about the place that it is written into."""
    return source_of_spec("bk-sdm-tiny", model=ModelFolder(sd1))


def test_the_card_in_the_folder_says_how_it_loads_and_that_works(exported: tuple[Path, ExportReport]) -> None:
    out, report = exported
    card = (out / "README.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {report.name}\n")
    (code,) = re.findall(r"^```python\n(.*?)^```", card, re.MULTILINE | re.DOTALL)
    assert code.count('"PATH/OF/THIS/FOLDER"') == code.count('"a prompt"') == 1
    code = code.replace('"PATH/OF/THIS/FOLDER"', repr(str(out)))
    names: dict[str, Any] = {}
    exec(code.replace('"a prompt"', '"a red circle", num_inference_steps=1'), names)
    assert type(names["pipeline"].unet).__name__ == report.loads_as == "SearchedUNet"
    assert names["picture"].size == (SMALL_SIZE_PX, SMALL_SIZE_PX)


def found_unet(run: Path, model: Path) -> UNet2DConditionModel:
    """The UNet that the run found, from its checkpoint through the supernet."""
    architecture, spec = read_spec(run / "architecture.json")
    supernet = Supernet(load_unet(model), space=SPACE)
    weights = RunDirectory(run).weights.read(spec["round"])
    assert weights is not None
    supernet.load_weights(weights)
    return supernet.materialise(architecture)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_report_compares_prediction_and_measurement(run: Path, exported: tuple[Path, ExportReport]) -> None:
    out, report = exported
    spec = read_json(run / "architecture.json")
    assert report.loads_as == "SearchedUNet"
    assert report.max_difference is not None
    assert 0 <= report.max_difference <= report.tolerance == 1e-5
    assert report.base_latency_ms is not None
    assert report.latency_ms is not None
    assert (report.num_params, report.num_macs) == (spec["num_params"], spec["num_macs"]), "as torch counts them"
    assert (report.predicted_ms, report.clip) == (spec["predicted_latency_ms"], spec["clip"])
    assert report.built_predicted_ms == pytest.approx(report.predicted_ms)
    assert report.name.startswith("pipeline_lat@")
    assert {len(row) for row in report.rows()} == {3}
    assert read_json(out / "export.json")["max_difference"] == report.max_difference
    assert (out / "architecture.json").read_bytes() == (run / "architecture.json").read_bytes()
    assert not list(out.parent.glob("*.part")), "what was written beside has been moved"
    assert not (out / nas.export.verify.PROBE).exists()


def test_the_clean_process_looks_for_no_modules_in_the_working_directory(exported: tuple[Path, ExportReport]) -> None:
    assert not list(exported[0].parent.rglob(MARK))


def test_before_and_after_are_drawn_with_the_same_noise(
    run: Path, model: Path, exported: tuple[Path, ExportReport], tmp_path: Path
) -> None:
    source = source_of_run(run)
    draw_before_after(source, export=exported[0], path=tmp_path / "both.png")
    draw_before_after(source, export=model, path=tmp_path / "base.png")
    both, base = (np.asarray(Image.open(tmp_path / name)) for name in ("both.png", "base.png"))
    assert both.shape == base.shape
    middle = both.shape[0] // 2
    assert np.array_equal(both[40:middle], base[40:middle]), "above, the base model draws both times"
    assert not np.array_equal(both[middle:], base[middle:])


def test_a_clean_process_loads_it_with_diffusers_alone(run: Path, model: Path, strangers: Strangers) -> None:
    assert strangers.answer["class"] == "SearchedUNet"
    assert strangers.answer["num_params"] == read_json(run / "architecture.json")["num_params"]

    pipeline = load_pipeline(ModelFolder(model))
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet = found_unet(run, model)
    generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    ours = pipeline(PROMPTS, num_inference_steps=2, guidance_scale=2.0, generator=generators, output_type="np").images
    assert np.abs(strangers.pictures - ours).max() < SAME_PICTURE


def test_pictures_come_out_of_an_export(exported: tuple[Path, ExportReport]) -> None:
    def drawn(prompts: list[str], seed: int) -> Any:
        settings = DrawingSettings(
            prompts=tuple(prompts), seed=seed, num_steps=2, guidance_scale=2.0, batch_size=len(prompts)
        )
        return draw(ModelFolder(exported[0]), settings=settings).pictures

    pictures = drawn(PROMPTS, 3)
    assert pictures.shape == (2, SMALL_SIZE_PX, SMALL_SIZE_PX, 3)
    assert pictures.dtype == np.uint8
    alone = drawn(PROMPTS[1:], 4)
    assert np.abs(pictures[1].astype(float) - alone[0]).max() <= 255 * SAME_PICTURE, "picture i is drawn by seed + i"


@pytest.mark.usefixtures("checked_here")
def test_an_export_replaces_an_earlier_one_of_the_same_architecture(
    run: Path, exported: tuple[Path, ExportReport]
) -> None:
    out, report = exported
    (out / "unet" / "config.json").unlink()
    again = export_run(run, out=out)
    assert (again.loads_as, again.max_difference) == (report.loads_as, report.max_difference)
    assert read_json(out / "unet" / "config.json")["_class_name"] == "SearchedUNet"


@pytest.mark.usefixtures("checked_here")
def test_pickles_and_code_of_the_base_model_stay_behind(sd1: Path, tmp_path: Path) -> None:
    model = shutil.copytree(sd1, tmp_path / "model")
    strangers = ("text_encoder/pytorch_model.bin", "vae/model.ckpt", "tokenizer/added.pkl", "scheduler/evil.py")
    for name in strangers:
        (model / name).write_bytes(b"print('run me')")
    out = tmp_path / "out"
    export(source_of_spec("bk-sdm-tiny", model=ModelFolder(model)), out=out, measure=False)
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert written.isdisjoint(strangers)
    assert {Path(name).suffix for name in written - {"README.md"}} <= {".json", ".safetensors", ".txt"}
    parts = {path.relative_to(sd1).as_posix() for path in sd1.rglob("*") if path.is_file()}
    assert {name for name in parts if not name.startswith("unet/")} <= written, "and nothing else does"


@pytest.mark.parametrize("name", ["thesis.tex", "architecture.json"])
def test_a_foreign_folder_is_refused_and_left_alone(run: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "taken"
    out.mkdir()
    (out / name).write_text(json.dumps(SPACE.base.to_dict()))
    before = content(tmp_path)
    with pytest.raises(ExportError, match=r"taken exists and is not an export of this architecture; give another"):
        export_run(run, out=out)
    assert content(tmp_path) == before


def test_the_export_of_an_earlier_result_is_kept_and_a_place_for_the_new_one_is_named(
    run: Path, tmp_path: Path
) -> None:
    out, now = tmp_path / "export", read_json(run / "architecture.json")["arch_id"]
    out.mkdir()
    (out / "architecture.json").write_text(json.dumps(SPACE.base.to_dict()))
    (out / "export.json").write_text("{}")
    before = content(tmp_path)
    with pytest.raises(ExportError, match=rf"{now}, but of {SPACE.base.arch_id}: .* say `--out {out}-{now}`"):
        export_run(run, out=out)
    assert content(tmp_path) == before


def test_a_base_model_that_changed_since_is_refused(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "run"
    shutil.copytree(run, other)
    spec = read_json(other / "architecture.json")
    spec["digests"]["model"] = "0" * 16
    (other / "architecture.json").write_text(json.dumps(spec))
    with pytest.raises(ExportError, match="model has changed since the search"):
        export_run(other, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def tampered(request: VerificationRequest) -> dict[str, Any]:
    """The check of a folder one weight of which has changed since it was written."""
    path = Path(request.folder) / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(path)
    weights["conv_out.bias"][0] += 0.5
    save_file(weights, path, metadata={"format": "pt"})
    return verify(request)


def test_a_changed_weight_fails_the_check_and_the_old_export_stays(
    run: Path, exported: tuple[Path, ExportReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = exported
    before = content(out)
    monkeypatch.setattr(nas.export.write, "run_verification", tampered)
    with pytest.raises(ExportError, match=r"differs from the supernet by .*, more than 1e-05; nothing was written"):
        export_run(run, out=out)
    assert content(out) == before


def test_blocks_that_should_be_neutral_and_are_not_fail_the_check(
    sd1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_spaces.stock_unet, "neutralise", lambda block: None)
    monkeypatch.setattr(nas.export.write, "run_verification", verify)
    source = source_of_spec("snapfusion-table3", model=ModelFolder(sd1))
    with pytest.raises(ExportError, match="differs from the supernet"):
        export(source, out=tmp_path / "out", form=ExportForm.NEUTRAL, measure=False)
    assert list(tmp_path.iterdir()) == []
    assert all(parameter.requires_grad for parameter in source.supernet.all_parameters()), "it can go on training"


def test_an_export_that_does_not_load_fails_and_the_old_one_stays(
    run: Path, exported: tuple[Path, ExportReport], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = exported
    before = content(out)

    def broken(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, stdout="", stderr="OSError: no such weight")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", broken)
        with pytest.raises(ExportError, match=r"does not load in a clean process:\nOSError: no such weight"):
            export_run(run, out=out)
    assert content(out) == before


def test_what_a_run_says_of_itself_must_be_so(run: Path, tmp_path: Path) -> None:
    """Weights of another round under this round's name, and costs that the architecture does not have."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    spec = read_json(copy / "architecture.json")
    for change, law in [
        ({"num_params": spec["num_params"] + 1}, "must say what its architecture costs, but has `num_params`"),
        ({"predicted_latency_ms": 1.0}, "must say what its architecture costs, but has `predicted_latency_ms` 1.0"),
        ({"digests": spec["digests"] | {"weights": "0" * 16}}, "must hold the weights 0000000000000000, but holds"),
    ]:
        (copy / "architecture.json").write_text(json.dumps(spec | change))
        with pytest.raises(ValueError, match=law):
            source_of_run(copy)
    (copy / "architecture.json").write_text(json.dumps(spec))
    checkpoints = copy / "checkpoints"
    other = next(path for path in checkpoints.iterdir() if path.name != f"round-{spec['round']:03d}")
    shutil.copy(other / "weights.json", checkpoints / f"round-{spec['round']:03d}")
    with (
        pytest.warns(CheckpointWarning, match="is not what was written"),
        pytest.raises(UserError, match="missing"),
    ):
        source_of_run(copy)


def test_an_unfinished_run_has_nothing_to_export(experiment: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    with run.opened(load_config(experiment).plain()):
        pass
    with pytest.raises(ValueError, match=r"there is no spec .*architecture\.json; a finished search writes it"):
        export_run(run.path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("checked_here")
def test_a_found_architecture_that_is_a_stock_config_needs_no_import(
    experiment: Path, model: Path, tmp_path: Path
) -> None:
    """Copies of cross-attentions are what stock diffusers can spell."""
    actions = (Action.parse("+cross_attention[up.1,1]"), Action.parse("+cross_attention[up.0,0]"))
    architecture = actions[1].apply(actions[0].apply(SPACE.base))
    config: ExperimentConfig = load_config(experiment)
    supernet = Supernet(load_unet(model), space=SPACE, copy_start=CopyStart.SAME)
    supernet.switch(architecture)
    run = RunDirectory(tmp_path / "run")
    with run.opened(config.plain()):
        run.weights.write(0, architecture=architecture, weights=supernet.weights())
        found = FoundArchitecture(
            architecture=architecture,
            round=0,
            stop=StopReason.CONVERGED,
            target_met=True,
            actions=actions,
            base_latency_ms=8.0,
            predicted_latency_ms=9.0,
            target_latency_ms=10.0,
            base_clip=mean_interval([0.8, 0.9]),
            clip=mean_interval([0.7, 0.9]),
            digests={"model": folder_digest(config.model), "weights": weights_digest(supernet.weights())},
        )
        write_spec(run.spec_path, found, space=SPACE, model=ModelFolder(config.model))
    report = export_run(run.path, out=tmp_path / "out")
    assert report.loads_as == "stock config"
    assert read_json(tmp_path / "out" / "model_index.json")["unet"] == ["diffusers", "UNet2DConditionModel"]
    stock = UNet2DConditionModel.from_pretrained(tmp_path / "out" / "unet")
    assert stock.num_parameters() == SPACE.num_params(architecture)


NAMED = sorted(KNOWN_ARCHITECTURES)


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SDXL with all its 70 transformer layers, a twentieth as wide."""
    folder = write_pipeline(tmp_path_factory.mktemp("sdxl") / "model", kind="sdxl", width=16)
    narrow = {**read_unet_config(folder), "transformer_layers_per_block": [1, 2, 10]}
    shutil.rmtree(folder / "unet")
    UNet2DConditionModel.from_config(narrow).save_pretrained(folder / "unet")
    return folder


@pytest.mark.parametrize("name", NAMED)
def test_a_named_architecture_is_cut_out_of_a_base_model_with_the_right_weights(
    name: str, sd1: Path, sdxl: Path
) -> None:
    known = KNOWN_ARCHITECTURES[name].build()
    model = sdxl if KNOWN_ARCHITECTURES[name].base == "sdxl" else sd1
    source = source_of_spec(name, model=ModelFolder(model))
    assert source.architecture == known
    has_the_right_weights(source.supernet.materialise(known).state_dict(), name=name, model=model)


@pytest.mark.usefixtures("checked_here")
@pytest.mark.parametrize("name", ["koala-1b", "snapfusion-table3"])
def test_a_named_architecture_is_exported_with_the_right_weights(
    name: str, sd1: Path, sdxl: Path, tmp_path: Path
) -> None:
    """One of SDXL that stock diffusers can spell, and one of SD-1.5 that it cannot."""
    model = sdxl if KNOWN_ARCHITECTURES[name].base == "sdxl" else sd1
    report = export(source_of_spec(name, model=ModelFolder(model)), out=tmp_path / name, measure=False)
    assert (report.loads_as == "stock config") == (name != "snapfusion-table3")
    has_the_right_weights(load_unet(tmp_path / name).state_dict(), name=name, model=model)


@pytest.mark.parametrize("name", NAMED)
def test_a_named_architecture_but_one_is_a_stock_config(name: str, sd1: Path) -> None:
    known, config = KNOWN_ARCHITECTURES[name], SDXL_CONFIG
    if known.base != "sdxl":
        config = read_unet_config(sd1)
    found = stock_config(known.build(), space=space_from_config(config), base_config=config).config
    assert (found is None) == (name == "snapfusion-table3")


@cache
def weights_of(model: Path) -> dict[str, torch.Tensor]:
    return dict(load_unet(model).state_dict())


def has_the_right_weights(ours: dict[str, torch.Tensor], *, name: str, model: Path) -> None:
    known, base = KNOWN_ARCHITECTURES[name].build(), weights_of(model)
    space = space_from_config(read_unet_config(model))
    names = {s.name: t.name for s, t in zip(*matched(known, space), strict=True)}
    assert sum(weight.numel() for weight in ours.values()) == space.num_params(known)
    checked = set()
    for module, source in names.items():
        for parameter in (n for n in ours if n.startswith(f"{module}.")):
            if (there := source + parameter.removeprefix(module)) in base:
                assert torch.equal(ours[parameter], base[there]), parameter
                checked.add(parameter)
    born = {n for n in ours if ".transformer_blocks." in n and n not in checked}
    assert set(ours) - checked - born <= {"conv_norm_out.weight", "conv_norm_out.bias"}
    assert bool(born) == name.startswith("snapfusion"), "only copies have weights that the base model has not"


def matched(architecture: Any, space: Any) -> tuple[list[Any], list[Any]]:
    """Sites of an architecture, and for each the base model's site that its weights come from."""

    def key(site: Any) -> tuple[str, int, str]:
        if site.position >= 0:
            return site.stage, site.position, "attention" if ".attentions." in site.name else "resnet"
        return site.stage, site.position, "" if site.stage else site.name

    base = {key(site): site for site in space.sites(space.base)}
    sites = [site for site in space.sites(architecture) if "+" not in site.name]
    return sites, [base[key(site)] for site in sites]


def test_stock_exports_load_in_plain_diffusers(strangers: Strangers) -> None:
    """As a stock config and with neutral blocks."""
    assert len(strangers.answer["differences"]) == 2
    assert max(strangers.answer["differences"]) <= 1e-5


@pytest.mark.usefixtures("checked_here")
def test_neutral_blocks_cost_what_the_table_says(experiment: Path, model: Path, tmp_path: Path) -> None:
    table = experiment.parent / "table.json"
    wanted = write_wanted(tmp_path, "-resnet[mid,1]", space=SPACE)
    source = source_of_spec(str(wanted), model=ModelFolder(model), table=table)
    report = export(source, out=tmp_path / "out", form=ExportForm.NEUTRAL, measure=False)
    assert report.neutral == ("mid_block.resnets.1",)
    assert report.predicted_ms is not None
    assert report.built_predicted_ms == pytest.approx(report.base_predicted_ms)
    assert any(label == "1 neutral blocks cost, ms" for label, _, _ in report.rows())


@pytest.mark.usefixtures("checked_here")
def test_onnx_is_checked_in_onnx_runtime(tmp_path: Path) -> None:
    """A UNet of two stages: converting takes its time with every block."""
    model = write_pipeline(tmp_path / "model", kind="bk-sdm-small", width=16)
    config: dict[str, Any] = {
        **read_unet_config(model),
        "block_out_channels": [16, 16],
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    }
    shutil.rmtree(model / "unet")
    UNet2DConditionModel.from_config(config).save_pretrained(model / "unet")
    space = space_from_config(config)
    architecture = space.base
    for action in ("-cross_attention[up.1,0]", "-resnet[up.1,0]"):
        architecture = Action.parse(action).apply(architecture)
    (tmp_path / "wanted.json").write_text(architecture.to_json())
    source = source_of_spec(str(tmp_path / "wanted.json"), model=ModelFolder(model))
    report = export(source, out=tmp_path / "out", form=ExportForm.ONNX, batch=2)
    assert "opset 18" in report.loads_as
    assert report.max_difference is not None
    assert report.max_difference <= report.tolerance
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "architecture.json", "export.json", "unet.onnx",
    ]  # fmt: skip


@pytest.mark.usefixtures("checked_here")
def test_half_precision_is_written_and_compared_as_such(sd1: Path, tmp_path: Path) -> None:
    source = source_of_spec("bk-sdm-tiny", model=ModelFolder(sd1))
    report = export(source, out=tmp_path / "out", dtype="float16", measure=False)
    assert (report.dtype, report.tolerance) == ("float16", 1e-5)
    weights = load_file(tmp_path / "out" / "unet" / "diffusion_pytorch_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    assert {weight.dtype for weight in source.supernet.unet.state_dict().values()} == {torch.float32}


def test_a_spec_alone_needs_no_check(named: ExportSource, tmp_path: Path) -> None:
    report = export(named, out=tmp_path / "out", form=ExportForm.SPEC)
    assert read_spec(tmp_path / "out" / "architecture.json")[0] == KNOWN_ARCHITECTURES["bk-sdm-tiny"].build()
    assert report.max_difference is None


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("ssd-1b", "ssd-1b is an architecture of sdxl, but the base model is sd1"),
        (
            "nobody",
            "there is no architecture nobody; give a run, a spec, a folder with a UNet, or a known name: ",
        ),
    ],
)
def test_an_architecture_of_another_base_model_is_refused(reference: str, message: str, sd1: Path) -> None:
    with pytest.raises(ValueError, match=message):
        source_of_spec(reference, model=ModelFolder(sd1))


def test_a_spec_of_another_base_model_is_refused(sd1: Path, tmp_path: Path) -> None:
    source = source_of_spec("bk-sdm-tiny", model=ModelFolder(sd1))
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(source.spec | {"base": source.spec["base"] | {"num_params": 7, "model": "other"}}))
    with pytest.raises(ValueError, match=r"about the base model sd1, but is about 'other'.*`num_params` 7"):
        source_of_spec(str(path), model=ModelFolder(sd1))


def test_an_export_can_be_read_back_as_an_architecture(
    exported: tuple[Path, ExportReport], run: Path, model: Path
) -> None:
    out, _ = exported
    found = read_spec(run / "architecture.json")[0]
    (out / "copy").mkdir(exist_ok=True)
    shutil.copytree(out / "unet", out / "copy" / "unet", dirs_exist_ok=True)
    for reference in (run, out, out / "unet", out / "copy"):
        assert source_of_spec(str(reference), model=ModelFolder(model)).architecture == found
    shutil.rmtree(out / "copy")


@pytest.mark.usefixtures("checked_here")
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(architecture=st.one_of(architectures(SPACE), architectures(STOCK)))
def test_any_architecture_comes_back_as_what_it_was(
    architecture: Architecture, model: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Written, reloaded and compared by the export itself; its spec and its folder are the architecture again."""
    folder = tmp_path_factory.mktemp("any")
    (folder / "wanted.json").write_text(architecture.to_json())
    source = source_of_spec(str(folder / "wanted.json"), model=ModelFolder(model))
    report = export(source, out=folder / "out", measure=False)
    config = stock_config(architecture, space=SPACE, base_config=SMALL_UNET).config
    assert report.loads_as == ("SearchedUNet" if config is None else "stock config")
    assert source_of_spec(str(folder / "out"), model=ModelFolder(model)).architecture == architecture
    shutil.rmtree(folder)


@pytest.mark.usefixtures("checked_here")
def test_files_that_are_not_the_exports_own_are_not_deleted(named: ExportSource, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(named, out=out, form=ExportForm.SPEC)
    digests = {name: sha256(data).hexdigest() for name, data in sorted(content(out).items()) if name != "export.json"}
    assert read_json(out / "export.json")["files"] == digests
    export(named, out=out, form=ExportForm.SPEC)
    (out / "notes").mkdir()
    (out / "notes" / "thesis.tex").write_text("thesis")
    with pytest.raises(ExportError, match=r"1 of its files are not the export's own, such as notes/thesis\.tex; move"):
        export(named, out=out, form=ExportForm.SPEC)
    report = read_json(out / "export.json")
    listed = [*report.pop("files"), "export.json"]
    for earlier in (report, report | {"files": listed}):  # as version 0.1.0 wrote it, and the one after it
        (out / "export.json").write_text(json.dumps(earlier))
        with pytest.raises(ExportError, match="such as notes/thesis"):
            export(named, out=out, form=ExportForm.SPEC)
    assert (out / "notes" / "thesis.tex").read_text() == "thesis"
    shutil.rmtree(out / "notes")
    export(named, out=out, form=ExportForm.SPEC)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_was_made_meanwhile_is_not_deleted(sd1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(request: VerificationRequest) -> dict[str, Any]:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "thesis.tex").write_text("thesis")
        return verify(request)

    monkeypatch.setattr(nas.export.write, "run_verification", meanwhile)
    with pytest.raises(ExportError, match="out exists and is not an export of this architecture"):
        export(source_of_spec("bk-sdm-tiny", model=ModelFolder(sd1)), out=tmp_path / "out", measure=False)
    assert content(tmp_path) == {"out/thesis.tex": b"thesis"}


def test_a_place_above_the_working_folder_is_refused_at_once(
    named: ExportSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis.tex").write_text("thesis")
    monkeypatch.chdir(tmp_path)
    for out in ("new/..", ".", "..", "new/../.."):
        with pytest.raises(ValueError, match="must not be the working folder or hold it"):
            export(named, out=Path(out), form=ExportForm.SPEC)
    assert content(tmp_path) == {"thesis.tex": b"thesis"}


def test_a_file_of_an_export_that_was_changed_since_is_not_deleted(named: ExportSource, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(named, out=out, form=ExportForm.SPEC)
    (out / "README.md").write_text("what I found out")
    with pytest.raises(ExportError, match=r"1 of its files changed since it was written, such as README\.md; give"):
        export(named, out=out, form=ExportForm.SPEC)
    assert (out / "README.md").read_text() == "what I found out"
    (out / "README.md").unlink()
    export(named, out=out, form=ExportForm.SPEC)
    assert (out / "README.md").is_file()


@pytest.mark.parametrize("files", [5, None, "x", [["x"]], {"README.md": 5}])
def test_an_export_whose_listing_is_none_is_refused(named: ExportSource, tmp_path: Path, files: Any) -> None:
    out = tmp_path / "out"
    export(named, out=out, form=ExportForm.SPEC)
    report = read_json(out / "export.json")
    (out / "export.json").write_text(json.dumps(report | {"files": files}))
    with pytest.raises(
        ExportError, match=r"`files` in .*export\.json must give each file .* its digest, but it was edited"
    ):
        export(named, out=out, form=ExportForm.SPEC)
