"""The model card of an export says how to load it, what it was cut out of, and whether the target was met."""

from dataclasses import replace
from typing import Any

import pytest

from nas.export.card import model_card
from nas.export.form import ExportForm
from nas.export.report import ExportReport
from nas.runs.spec import describe
from search_spaces.folders.loading import SEARCHED
from search_spaces.known.architectures import bk_sdm_small, sd15_space

SPACE = sd15_space()
SPEC: dict[str, Any] = describe(bk_sdm_small(), space=SPACE, model="sd15")
FOUND = SPEC | {
    "target_met": True, "target_latency_ms": 20.0, "predicted_latency_ms": 19.5, "clip_interval": [0.3, 0.4],
}  # fmt: skip
REPORT = ExportReport(
    name="sd15_small", form="diffusers", loads_as=SEARCHED, dtype="float32", neutral=(), tolerance=1e-5,
    max_difference=1e-7, num_params=1, num_macs=2, base_num_params=3, base_num_macs=4, context_tokens=77,
    predicted_ms=19.5, base_predicted_ms=30.0, built_predicted_ms=19.5, latency_ms=None, base_latency_ms=None,
    clip=0.35, base_clip=0.36,
)  # fmt: skip


def test_a_searched_unet_is_loaded_after_an_import_that_card_and_table_tell() -> None:
    card = model_card(REPORT, FOUND)
    assert card.index("import search_spaces.searched_unet") < card.index("from diffusers import DiffusionPipeline")
    assert "diffusers-neutral" in card
    assert ("loads as", "", "SearchedUNet after `import search_spaces.searched_unet`") in list(REPORT.rows())
    stock = replace(REPORT, loads_as="stock config")
    assert "import search_spaces" not in model_card(stock, FOUND)
    assert ("loads as", "", "stock config") in list(stock.rows())


@pytest.mark.parametrize("form", ExportForm)
def test_every_form_says_how_to_load_it(form: ExportForm) -> None:
    card = model_card(replace(REPORT, form=str(form), loads_as="as told"), FOUND)
    word = {"onnx": "unet.onnx", "executorch": "unet.pte", "coreml": "unet.mlpackage", "spec": "nas export"}
    assert word.get(form, "DiffusionPipeline.from_pretrained") in card
    assert "{" not in card


def test_it_says_what_was_cut_out_of_what_and_what_it_costs_and_scores() -> None:
    card = model_card(REPORT, FOUND)
    assert "cut out of `sd15`: 9 of 16 cross-attentions and 12 of 22 ResNets" in card
    assert "| MACs at 77 text tokens | 0.000 G | 0.000 G |" in card
    assert "| CLIP selection score | 0.3600 | 0.3500 |" in card
    assert "[0.3000, 0.4000], by which it was chosen" in card
    assert all(f"`{action}`" in card for action in SPEC["actions"])


def test_a_missed_target_is_told_and_a_named_architecture_has_none() -> None:
    assert "It meets the search's target of 20.000 ms: 19.500 ms are predicted" in model_card(REPORT, FOUND)
    assert "DOES NOT MEET" in model_card(REPORT, FOUND | {"target_met": False})
    neutral = replace(REPORT, neutral=("down.0[0]",), built_predicted_ms=24.0)
    assert "What lies here is predicted at 24.000 ms, MORE than the target of 20.000 ms" in model_card(neutral, FOUND)
    assert "19.500 ms without them, is within it" in model_card(neutral, FOUND)
    assert "No search found it" in model_card(replace(REPORT, clip=None), SPEC)
    assert "CLIP" not in model_card(replace(REPORT, clip=None), SPEC)
