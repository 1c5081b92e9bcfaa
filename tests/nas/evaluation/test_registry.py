"""Names to scores: ours and plugins', broken ones named; the door takes nothing that breaks its laws."""

import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.evaluation.clip.judge import ClipJudge
from nas.evaluation.door import Declaration, ScoreError, check_numbers
from nas.evaluation.output_change import OutputChange
from nas.evaluation.registry import make_score
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet
from search_spaces.files.user_error import PluginError
from search_spaces.shapes import OPEN_CLIP_DIR, PIPELINE_DIR

SETTING = ScoreSetting(
    model=ModelFolder(PIPELINE_DIR),
    validation=ValidationSet.from_captions(["a red circle", "a ring"], seed=0, chunk_size=2),
    protocol=SamplingProtocol(num_steps=2, guidance_scale=2),
    latent_shape=(4, 16, 16),
)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a distribution on the path, as pip would leave it: a module, and an entry point to something in it."""

    def installed(name: str, module: str) -> None:
        (tmp_path / f"{name}_module.py").write_text(module, encoding="utf-8")
        information = tmp_path / f"{name}_plugin-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[nas.scores]\n{name} = {name}_module:make\n")
        monkeypatch.delitem(sys.modules, f"{name}_module", raising=False)

    monkeypatch.syspath_prepend(tmp_path)
    return installed


SOUND = """
class Sound:
    name, unit, higher_is_better, is_distance, passes_per_prompt, digest = "sound", "", True, False, 4, "d"
    def __init__(self, setting, /, *, factor=1.0): self.factor = factor
    def start(self, reference, /): pass
    def judge(self, pictures, /, *, chunk): return tuple(self.factor for _ in pictures)
make = Sound
"""


def test_ours_are_found_by_name() -> None:
    assert isinstance(make_score("clip", settings={"model": str(OPEN_CLIP_DIR)}, setting=SETTING), ClipJudge)
    assert isinstance(make_score("output_change", settings={}, setting=SETTING), OutputChange)


def test_a_plugins_score_is_found_by_the_name_of_its_entry_point(install: Callable[[str, str], None]) -> None:
    install("sound", SOUND)
    score = make_score("sound", settings={"factor": 2.0}, setting=SETTING)
    assert Declaration.of(score).passes_per_prompt == 4
    with pytest.raises(
        PluginError, match=r"one of clip, output_change, .*, or of the plugins' sound, but got 'silent'; a"
    ):
        make_score("silent", settings={}, setting=SETTING)


def test_a_plugin_that_cannot_be_imported_is_named_and_leaves_the_others_alone(
    install: Callable[[str, str], None],
) -> None:
    install("broken", "import no_such_module")
    with pytest.raises(PluginError, match=r"'broken' \(entry point broken_module:make of broken-plugin 1\.0\) must be"):
        make_score("broken", settings={}, setting=SETTING)
    make_score("output_change", settings={}, setting=SETTING)


def test_a_score_has_the_name_of_its_entry_point(install: Callable[[str, str], None]) -> None:
    install("other", SOUND)
    with pytest.raises(ScoreError, match=r"the name of its entry point, but `other` calls itself 'sound'"):
        make_score("other", settings={}, setting=SETTING)


def test_settings_that_a_score_does_not_take_are_named_with_those_that_it_takes() -> None:
    with pytest.raises(
        ScoreError, match=r"`output_change` takes the settings num_timesteps, reference, relative, but got steps \("
    ):
        make_score("output_change", settings={"steps": 3}, setting=SETTING)
    with pytest.raises(ScoreError, match=r"`clip` takes the settings model, pretrained, but got none \("):
        make_score("clip", settings={}, setting=SETTING)


class Changed:
    """Output change with other declarations."""

    def __init__(self, **declared: Any) -> None:
        score = OutputChange(SETTING)
        names = ("name", "unit", "higher_is_better", "is_distance", "passes_per_prompt", "digest")
        self.__dict__ |= {name: getattr(score, name) for name in names} | declared

    def start(self, reference: torch.nn.Module, /) -> None: ...

    def probe(self, unet: torch.nn.Module, /, *, chunk: int) -> tuple[float, ...]:
        return ()


@pytest.mark.parametrize(
    ("declared", "law"),
    [
        ({"name": "two words"}, r"`name` must be an identifier and none of .*, but is 'two words'"),
        ({"unit": None}, "`unit` must be str, but is None"),
        ({"higher_is_better": 1}, "`higher_is_better` must be bool, but is 1"),
        ({"higher_is_better": True}, "a distance to the reference is better when it is lower"),
        ({"passes_per_prompt": -1}, "`passes_per_prompt` must be at least 0, but is -1"),
        ({"passes_per_prompt": 1.0}, "`passes_per_prompt` must be int, but is 1.0"),
        ({"digest": ""}, "`digest` must not be empty"),
        ({"judge": print}, "exactly one of `judge` .* and `probe`"),
        ({"probe": None}, "exactly one of `judge` .* and `probe`"),
    ],
)
def test_a_score_that_breaks_the_doors_laws_is_refused(declared: dict[str, Any], law: str) -> None:
    changed: Any = Changed(**declared)
    with pytest.raises(ScoreError, match=f"the score Changed breaks the door's laws: .*{law}"):
        Declaration.of(changed)


def test_all_that_is_wrong_is_said_at_once() -> None:
    changed: Any = Changed(unit=3, digest=None)
    with pytest.raises(ScoreError, match="`unit` must be str, but is 3; `digest` must be str, but is None"):
        Declaration.of(changed)


def test_a_declaration_is_a_value_and_compares_by_what_is_better() -> None:
    declared = Declaration.of(OutputChange(SETTING))
    assert declared == Declaration.of(OutputChange(SETTING))
    assert max([0.1, 0.3], key=declared.better) == 0.1
    with pytest.raises(FrozenInstanceError):
        declared.unit = "x"  # type: ignore[misc]


def test_a_number_is_missing() -> None:
    with pytest.raises(ScoreError, match="one number per prompt, but `s` gave 1 for 2 prompts of architecture a"):
        check_numbers((1.0,), score="s", num_prompts=2, of="architecture a")
