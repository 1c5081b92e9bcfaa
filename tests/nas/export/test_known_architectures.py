"""Known architectures are cut out of their base model with the right weights."""

import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from nas.export.source import source_of_spec
from nas.export.write import export
from nas.pipelines.model_folder import ModelFolder
from search_spaces import space_from_config, stock_config
from search_spaces.folders.loading import load_unet, read_unet_config
from search_spaces.known.architectures import KNOWN_ARCHITECTURES, SDXL_CONFIG
from tests.folders import write_pipeline

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
