"""An evaluation: its numbers are those of other libraries, what is killed goes on, what does not fit is refused."""

# fast: tiny networks of random weights, some seconds in all

from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from typer.testing import CliRunner

from nas.cli.app import app
from nas.curves.evaluate import STORE, run_evaluation
from nas.curves.plan import make_plan
from nas.curves.standing import Standing
from nas.curves.store import EvaluationStore, EvaluationStoreWarning
from nas.curves.worker import CurveWorker, DrawingTask
from nas.metrics.estimate import MetricError
from nas.settings import SettingsError
from search_spaces.files.durable.places import PlaceError
from search_spaces.files.user_error import UserError
from tests.nas.curves.conftest import CLIP, Asked


class Heard:
    """What a listener heard; interrupts after some chunks."""

    def __init__(self, *, stop_after: int | None = None) -> None:
        self.standings: list[Standing] = []
        self._stop_after = stop_after

    def __call__(self, standing: Standing) -> None:
        self.standings.append(standing)
        if self._stop_after is not None and len(self.drawn) > self._stop_after:
            raise KeyboardInterrupt

    @property
    def drawn(self) -> list[Standing]:
        return [each for each in self.standings if each.what]


def test_what_is_killed_goes_on_to_the_very_same_numbers(model: Path, asked: Asked, tmp_path: Path) -> None:
    settings, whole, killed, again, idle = asked(steps=(1,)), Heard(), Heard(stop_after=4), Heard(), Heard()
    expected = run_evaluation([model], settings=settings, out=tmp_path / "whole", on_standing=whole)
    with pytest.raises(KeyboardInterrupt):
        run_evaluation([model], settings=settings, out=tmp_path / "killed", on_standing=killed)
    found = run_evaluation([model], settings=settings, out=tmp_path / "killed", on_standing=again)
    assert found == expected
    assert len(whole.drawn) == 2 * 3  # ways to draw, chunks
    assert len(killed.drawn) + len(again.drawn) == len(whole.drawn)
    run_evaluation([model], settings=settings, out=tmp_path / "killed", on_standing=idle)
    assert not idle.drawn
    for name in ("curves.json", "curves.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_more_captions_draw_only_what_is_new(model: Path, asked: Asked, tmp_path: Path) -> None:
    one = {"steps": (1,), "guidance": (1.0,)}
    few, more = Heard(), Heard()
    run_evaluation([model], settings=asked(num_captions=10, **one), out=tmp_path, on_standing=few)
    run_evaluation([model], settings=asked(num_captions=20, **one), out=tmp_path, on_standing=more)
    assert (len(few.drawn), len(more.drawn)) == (2, 2)


def test_a_damaged_chunk_is_drawn_again(model: Path, asked: Asked, tmp_path: Path) -> None:
    settings = asked(steps=(1,), guidance=(1.0,))
    expected = run_evaluation([model], settings=settings, out=tmp_path)
    path = next((tmp_path / STORE).glob("[0-9a-f]*/*.features-*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.warns(EvaluationStoreWarning, match="is damaged"):
        assert run_evaluation([model], settings=settings, out=tmp_path) == expected


def test_clip_is_that_of_open_clip_on_the_pictures_of_diffusers(model: Path, asked: Asked) -> None:
    plan = make_plan([str(model)], settings=asked(steps=(2,), guidance=(3.0,)))
    (protocol,) = plan.protocols
    looked = CurveWorker(plan.spec).evaluate(DrawingTask(model=0, protocol=protocol, chunk=0))
    prompts = plan.prompts.chunk(0)
    pipeline = StableDiffusionPipeline.from_pretrained(model)
    pipeline.set_progress_bar_config(disable=True)
    captions = [prompt.caption for prompt in prompts]
    drawn = pipeline(
        captions,
        num_inference_steps=2,
        guidance_scale=3.0,
        generator=[torch.Generator().manual_seed(prompt.noise_seed) for prompt in prompts],
    ).images
    clip, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{CLIP}")
    with torch.inference_mode():
        seen = clip.encode_image(torch.stack([preprocess(picture) for picture in drawn]), normalize=True)
        read = clip.encode_text(open_clip.get_tokenizer(f"local-dir:{CLIP}")(captions), normalize=True)
    assert looked.scores is not None
    assert looked.features is not None
    np.testing.assert_allclose(looked.scores[:, 0], (seen * read).sum(1), atol=2e-3)  # a bit of 255 here and there
    np.testing.assert_allclose(looked.features, seen, atol=2e-2)


def test_a_model_is_as_far_from_its_own_pictures_as_chance_has_it(model: Path, asked: Asked, tmp_path: Path) -> None:
    """Real pictures that the model drew itself, of the very same captions: the distance is 0 or below."""
    settings = asked(steps=(1,), guidance=(1.0,), num_captions=15)
    plan = make_plan([str(model)], settings=settings)
    worker, folder = CurveWorker(plan.spec), tmp_path / "own"
    folder.mkdir()
    lines = ["file_name,text"]
    for chunk in range(plan.prompts.num_chunks):
        task = DrawingTask(model=0, protocol=plan.protocols[0], chunk=chunk)
        for pixels, prompt in zip(worker._drawn(worker._loaded(0), task), plan.prompts.chunk(chunk), strict=True):
            name = f"{len(lines)}.png"
            Image.fromarray((pixels * 255).byte().permute(1, 2, 0).numpy()).save(folder / name)
            lines.append(f'{name},"{prompt.caption}"')
    (folder / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    other = run_evaluation([model], settings=settings, out=tmp_path / "other").points[0].numbers
    own = asked(steps=(1,), guidance=(1.0,), num_captions=15, pictures=folder)
    itself = run_evaluation([model], settings=own, out=tmp_path / "itself").points[0].numbers
    assert itself["mind"].value < 1e-6 < other["mind"].value / 100
    assert itself["kid"].value <= 0 < other["kid"].value
    assert itself["precision"].value == itself["recall"].value == 1


def test_baselines_stand_in_every_table(model: Path, asked: Asked, tmp_path: Path) -> None:
    settings = asked(steps=(8,), guidance=(1.0,), num_captions=2, pictures=None, baselines=True)
    curves = run_evaluation([model], settings=settings, out=tmp_path)
    assert [(p.protocol.scheduler[:5], p.protocol.num_steps, p.is_baseline) for p in curves.points] == [
        ("DDIMS", 8, False), *((name, steps, True) for steps in (8, 4, 2) for name in ("DPMSo", "UniPC")),
    ]  # fmt: skip
    assert curves.metrics == ()
    assert curves.left_out == ("distances, since no real pictures were given (`pictures`)",)


def test_too_few_pictures_are_refused_before_anything_is_drawn(model: Path, asked: Asked, tmp_path: Path) -> None:
    heard = Heard()
    with pytest.raises(
        MetricError, match="needs at least 129 generated and 129 real pictures, but there are 12 and 24"
    ):
        run_evaluation([model], settings=asked(metrics=("fid",)), out=tmp_path, on_standing=heard)
    assert not heard.drawn
    left_out = run_evaluation([model], settings=asked(steps=(1,), guidance=(1.0,)), out=tmp_path).left_out
    assert any("FID" in sentence and "129" in sentence for sentence in left_out)


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        ({"pictures": None, "metrics": ("fid",)}, "fid compare with real pictures, but there are captions only; give"),
        ({"pictures": None, "captions": None}, "give captions"),
        ({"metrics": ("fad",)}, "`metrics` must be among kid, cmmd, .* but has fad"),
        ({"clip": None}, "give an OpenCLIP model as `clip`"),
        ({"guidance": (0.5,)}, "greater than or equal to 1"),
    ],
)
def test_what_is_asked_for_must_fit_together(changes: dict[str, Any], law: str, asked: Asked) -> None:
    with pytest.raises(SettingsError, match=law):
        asked(**changes)


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        ({"num_captions": 600}, "`num_captions` is 600, but .* holds 512; ask"),
        ({"steps": (2000,)}, "at most the 1000 timesteps"),
    ],
)
def test_what_is_not_there_is_said_before_a_model_is_loaded(
    changes: dict[str, Any], law: str, model: Path, asked: Asked
) -> None:
    with pytest.raises(UserError, match=law):
        make_plan([str(model)], settings=asked(**changes))


def test_a_probe_judges_no_pictures(model: Path, asked: Asked) -> None:
    from nas.evaluation.settings import ScoreSettings

    with pytest.raises(UserError, match="`output_change` probes the network"):
        make_plan([str(model)], settings=asked(score=ScoreSettings(name="output_change")))


def test_a_folder_of_other_things_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(UserError, match="must be empty or a store of evaluations"):
        EvaluationStore(tmp_path)


def test_tables_of_something_else_are_not_replaced(model: Path, asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "curves.csv").write_text("mine")
    with pytest.raises(PlaceError, match=r"holds curves\.csv of something else"):
        run_evaluation([model], settings=asked(), out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["curves.csv"]


def test_what_is_asked_for_twice_stands_once(asked: Asked) -> None:
    assert len(asked(guidance=(1.0, 1.0), steps=(2, 2)).protocols()) == 1


def test_a_folder_that_is_not_there_and_a_figure_that_is_none_are_said_first(model: Path, tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["evaluate", str(tmp_path / "nix")])
    assert said.exit_code == 2
    assert "there is no model folder" in said.output
    asked = ["evaluate", str(model), "--captions", "shapes", "--clip", "shapes", "--out", str(tmp_path / "out")]
    said = CliRunner().invoke(app, [*asked, "--plot", "curves.json"])
    assert said.exit_code == 2
    assert "a picture must end in" in said.output
    assert not (tmp_path / "out").exists()
