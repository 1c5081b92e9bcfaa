"""What a stage is told and what it left, damaged or said twice: refused in a sentence, or done again."""

from pathlib import Path
from typing import Any

import pytest

from nas.stages.doing import ready
from nas.stages.outcome import RECEIPT, read_receipt, write_receipt
from nas.stages.settings import StageKind, StageSettings
from search_spaces.files.user_error import UserError


def evaluation(given: dict[str, Any], *, config: Path | None = None) -> dict[str, Any]:
    stage = StageSettings(config=config, set={"captions": "shapes", **given})
    ready_one = ready(stage, kind=StageKind.EVALUATION, folder=Path.cwd(), outcomes={}, say=print, commit=str)
    return dict(ready_one.values)


@pytest.mark.parametrize("given", [{"clip": "x", "clip.model": "y"}, {"clip.model": "y", "clip": {"model": "x"}}])
def test_a_setting_is_given_once(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="must give a setting once, but gives `clip"):
        evaluation(given)


def test_a_section_is_added_to_and_another_value_is_replaced(tmp_path: Path) -> None:
    config = tmp_path / "evaluation.yaml"
    config.write_text("clip: {model: x, pretrained: z}\nexecution: 3\n")
    values = evaluation({"clip.model": "y", "execution": {"device": "cpu"}}, config=config)
    assert values["clip"] == {"model": "y", "pretrained": "z"}
    assert values["execution"]["device"] == "cpu"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"folder": 5}', '{"folder": "\\u0000", "digest": "x", "num_steps": 1, "seconds": 1}',
             '{"folder": "run", "digest": ["x"], "num_steps": null, "seconds": 1}',
             '{"folder": "run", "digest": "DIGEST", "num_steps": "8", "seconds": 1}']
)  # fmt: skip
def test_a_damaged_receipt_is_of_nothing_done(text: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "curves.json").write_text("{}")
    made = write_receipt(tmp_path, folder=tmp_path / "run", num_steps=8, what={}, began=0.0)
    assert read_receipt(tmp_path) is not None
    (tmp_path / RECEIPT).write_text(text.replace("DIGEST", made.digest))
    assert read_receipt(tmp_path) is None
