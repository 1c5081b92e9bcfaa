"""The paper's ablations: every case is one that trains, and what is said of a claim follows from its interval."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from experiments.ablations.making import check_pictures, overrides_of, without
from experiments.ablations.plan import Claim, Kind, read_ablations
from experiments.ablations.telling import judged, verdict, write_figure_tables, write_page
from nas.config.loading import load_config
from nas.curves.asked.reading import made_of
from nas.curves.points import Curves, Point
from nas.distillation.decoder.job import load_decoder_config
from nas.distillation.steps.job import load_steps_config
from nas.metrics.estimate import Estimate, jackknifed
from nas.pipelines.protocol import SamplingProtocol
from search_spaces.files.user_error import UserError
from tests.folders import write_small_pipeline

LOADERS = {Kind.STEPS: load_steps_config, Kind.DECODER: load_decoder_config, Kind.TRAINING: load_config}
ABLATIONS = read_ablations()


def test_every_case_is_a_training_of_its_own_and_every_figure_is_evaluated(tmp_path: Path) -> None:
    trained = {name: case for name, case in ABLATIONS.cases.items() if case.kind is not Kind.MODEL}
    read = [
        LOADERS[case.kind](ABLATIONS.configs[case.kind], overrides=overrides_of(ABLATIONS, name, out=tmp_path))
        for name, case in trained.items()
    ]
    assert all(one != other for place, one in enumerate(read) for other in read[:place])
    assert {name for figure in ABLATIONS.figures.values() for name in figure.cases} == ABLATIONS.cases.keys()
    assert made_of(ABLATIONS.evaluation, name="evaluation").metrics == ("kid",)


def test_a_claim_of_a_case_that_is_none_of_the_figures_is_refused() -> None:
    with pytest.raises(UserError, match="claims must be of mixed, conditioned, but are of cfg too"):
        replace(ABLATIONS.figures["6b"], claims=(Claim(better="cfg", than="mixed", by="clip", paper=""),))


def test_what_may_be_lost_is_little_of_each_number() -> None:
    margins = {claim.by: claim.margin for claim in ABLATIONS.figures["8"].claims}
    assert verdict(jackknifed(-0.02, [-0.02, -0.02], num_made=2), margin=margins["clip"]) == "contradicts"
    assert verdict(jackknifed(-0.0005, [-0.0005, -0.0005], num_made=2), margin=margins["kid"]) == "contradicts"


def test_pictures_that_are_missing_are_told_with_the_commands_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "metadata.csv").touch()
    check_pictures({"draw": tmp_path / "there", "none": None})
    with pytest.raises(UserError) as caught:
        check_pictures({"draw": tmp_path / "there", "draw it": tmp_path / "a", "and it": tmp_path / "b"})
    assert str(caught.value).splitlines() == [
        f"there are no pictures in {tmp_path / 'a'}; `draw it` draws them",
        f"there are no pictures in {tmp_path / 'b'}; `and it` draws them",
    ]


def curves(**models: tuple[float, float]) -> Curves:
    """CLIP score and KID of each model at guidance 2, both worse by 0.1 at guidance 1; intervals of about 0.02."""

    def number(value: float, wobble: float) -> Estimate:
        return jackknifed(value, [value - wobble, value + wobble], num_made=2)

    points = [
        Point(
            model=name,
            protocol=SamplingProtocol(num_steps=2, guidance_scale=guidance),
            num_passes=2,
            is_baseline=False,
            numbers={"clip": number(clip - worse, place * 0.002), "kid": number(kid + worse, place * 0.002)},
        )
        for place, (name, (clip, kid)) in enumerate(models.items())
        for guidance, worse in ((1.0, 0.1), (2.0, 0.0))
    ]
    return Curves(points=tuple(points), score="clip", higher_is_better=True, features="clip:x", left_out=())


@pytest.mark.parametrize(
    ("by", "ahead", "said"), [("clip", 0.3, "agrees"), ("kid", -0.2, "contradicts"), ("clip", 0.0, "open")]
)
def test_more_of_the_score_and_less_of_the_distance_is_better(
    by: Literal["clip", "kid"], ahead: float, said: str
) -> None:
    values = {"clip": (0.5 + ahead, 0.4), "kid": (0.5, 0.4 - ahead)}[by]
    row = judged(Claim(better="a", than="b", by=by, paper=""), curves(a=values, b=(0.5, 0.4)))
    assert row["ahead"] == pytest.approx(ahead)
    assert (row["verdict"], row["better_guidance"]) == (said, 2.0)


def test_a_margin_is_what_may_be_lost() -> None:
    lost = jackknifed(-0.01, [-0.0101, -0.0099], num_made=2)
    assert [verdict(lost, margin=margin) for margin in (0.0, 0.01, 0.02)] == ["contradicts", "open", "agrees"]


def test_the_page_says_what_was_found_and_the_command_of_what_was_not(tmp_path: Path) -> None:
    figure, found = ABLATIONS.figures["6b"], curves(mixed=(0.9, 0.1), conditioned=(0.5, 0.1))
    (tmp_path / "6b").mkdir()
    found.write(tmp_path / "6b")
    write_figure_tables(figure, found, folder=tmp_path / "6b")
    page = write_page(ABLATIONS, out=tmp_path)
    assert "| CLIP: mixed 0.900 at 2, conditioned 0.500 at 2 | +0.400 [" in page
    assert page.count("Not run: `python -m experiments.ablations ") == len(ABLATIONS.figures) - 1
    assert (tmp_path / "ablations.csv").read_text().count("6b") == 4


def test_blocks_are_taken_out_once(tmp_path: Path) -> None:
    whole = write_small_pipeline(tmp_path / "whole")
    less = without(["resnet[mid,1]"], whole, place=tmp_path / "less")
    assert "architecture" in (tmp_path / "less" / "unet" / "config.json").read_text()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "less").rglob("*")}
    assert without(["resnet[mid,1]"], whole, place=tmp_path / "less") == less
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "less").rglob("*")}
    assert without([], whole, place=tmp_path / "less") == whole
