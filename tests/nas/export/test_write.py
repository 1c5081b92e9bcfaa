"""Exports: they load without us where they can, and are checked before they stand."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file

import nas.export.verify
import nas.export.write
from nas.drawing.draw import DrawingSettings, draw
from nas.export.before_after import draw_before_after
from nas.export.form import ExportForm
from nas.export.report import ExportReport
from nas.export.source import ExportError, source_of_run, source_of_spec
from nas.export.verify import VerificationRequest, verify
from nas.export.write import export
from nas.pipelines.folder import load_pipeline
from nas.pipelines.model_folder import ModelFolder
from nas.runs.directory import RunDirectory
from nas.runs.spec import read_spec
from search_spaces.folders.loading import load_unet
from search_spaces.supernet import Supernet
from tests.contents import content
from tests.folders import SMALL_SIZE_PX
from tests.nas.export.exporting import export_run
from tests.nas.searching import read_json
from tests.nas.synthetic import small_space
from tests.strangers import MARK, strangers_directory

SPACE = small_space()
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


def test_stock_exports_load_in_plain_diffusers(strangers: Strangers) -> None:
    """As a stock config and with neutral blocks."""
    assert len(strangers.answer["differences"]) == 2
    assert max(strangers.answer["differences"]) <= 1e-5


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
