"""Captions that are cut: said once, before a model is loaded, with both limits and the first of them."""

import warnings
from pathlib import Path

import pytest

from nas.config.loading import load_config
from nas.config.resolving import resolve
from nas.evaluation.clip.caption_lengths import warn_of_long_captions
from nas.evaluation.settings import ClipSettings
from nas.pipelines.model_folder import ModelFolder
from nas.scores.captions import CaptionWarning
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR

LONG = "a small red ring above a small blue cross on a gray background with a pink sky"
CLIP = ClipSettings(model=str(OPEN_CLIP_DIR))


def test_captions_that_fit_are_not_spoken_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_long_captions({"validation": ["a red ring", ""]}, model=ModelFolder(PIPELINE_DIR), clip=CLIP)


@pytest.mark.parametrize("clip", [CLIP, None])
def test_all_sets_are_told_in_one_warning(clip: ClipSettings | None) -> None:
    told = {"validation": ["a ring", LONG, LONG + "s"], "training": [LONG] * 7}
    with pytest.warns(CaptionWarning) as caught:
        warn_of_long_captions(told, model=ModelFolder(PIPELINE_DIR), clip=clip)
    (warning,) = caught
    limits = "24 tokens of the text encoder" + (" or 24 of CLIP" if clip is not None else "")
    said = str(warning.message)
    assert said.startswith(
        f"2 of 3 validation captions and 7 of 7 training captions are longer than the {limits}, and cut there"
    )
    assert repr(LONG[:60])[:-1] in said


def test_a_search_says_so_before_it_loads_a_model(experiment: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.txt"
    captions.write_text(f"a red ring\n{LONG}\na green ring\n", encoding="utf-8")
    with pytest.warns(CaptionWarning, match="1 of 3 validation captions are longer than the 24 tokens"):
        resolve(load_config(experiment, overrides=[f"validation.captions={captions}"]))
