"""ScoreLaws: what every score keeps, as tests that a plugin's author inherits with one fixture.

    from functools import partial
    from nas.testing.scores import ScoreLaws

    class TestColourShare(ScoreLaws):
        @pytest.fixture
        def make(self):
            return partial(ColourShare, tolerance=0.3)

The bundled model of 48 pixel pictures draws unless `setting` and `supernet` are given too.
"""

import math
from collections.abc import Callable, Iterator

import pytest
import torch

import nas.evaluation.captions.embedder
import nas.evaluation.setting
from nas.evaluation.door import Declaration, Score, ScoreError, judges_pictures
from nas.evaluation.evaluator import Evaluator
from nas.evaluation.setting import ScoreSetting
from nas.pipelines.model_folder import ModelFolder
from nas.pipelines.protocol import SamplingProtocol
from nas.scores.prompts import ValidationSet
from search_spaces.architecture import Architecture
from search_spaces.shapes import PIPELINE_DIR
from search_spaces.supernet import Supernet

CAPTIONS = (
    "a red circle",
    "a small blue square",
    "a green ring",
    "a yellow cross on a black background",
    "a purple triangle above a red circle",
)


class ScoreLaws:
    """The laws of the door of scores."""

    @pytest.fixture
    def make(self) -> Callable[[ScoreSetting], Score]:
        """What makes the score in a setting: the author's only duty."""
        raise NotImplementedError("give a fixture `make` that returns a callable of a ScoreSetting")

    @pytest.fixture
    def setting(self) -> ScoreSetting:
        """Five prompts in chunks of two, two guided steps, on the bundled model."""
        return ScoreSetting(
            model=ModelFolder(PIPELINE_DIR),
            validation=ValidationSet.from_captions(list(CAPTIONS), seed=0, chunk_size=2),
            protocol=SamplingProtocol(num_steps=2, guidance_scale=2.0),
            latent_shape=(4, 16, 16),
        )

    @pytest.fixture
    def supernet(self, setting: ScoreSetting) -> Supernet:
        """The setting's model, in its own weights."""
        unet = setting.model.load_unet().requires_grad_(False)
        return Supernet(setting.execution.place(unet))

    @pytest.fixture
    def changed(self, supernet: Supernet) -> Architecture:
        """An architecture other than the base model's: the first block removed that can be."""
        base = supernet.space.base
        return min(supernet.space.removals(base)).apply(base)

    @pytest.fixture(autouse=True)
    def _one_thread(self) -> Iterator[None]:
        """Equal bits need a fixed number of threads."""
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)

    @pytest.fixture
    def start(
        self, make: Callable[[ScoreSetting], Score], setting: ScoreSetting, supernet: Supernet
    ) -> Callable[[], Evaluator]:
        """A fresh score, started on the base model, in an evaluator."""

        def fresh() -> Evaluator:
            with supernet.switched(supernet.space.base) as base:
                return Evaluator(setting, score=make(setting), reference=base)

        return fresh

    def test_it_declares_itself_without_loading_a_model(
        self, make: Callable[[ScoreSetting], Score], setting: ScoreSetting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A search asks for the declarations before anything heavy happens; they keep their types."""

        def heavy(*args: object, **kwargs: object) -> None:
            raise AssertionError("a score loaded the pipeline when it was made; load in `start`")

        monkeypatch.setattr(nas.evaluation.setting, "load_autoencoder", heavy)
        monkeypatch.setattr(nas.evaluation.captions.embedder, "load_text_encoders", heavy)
        declared = Declaration.of(make(setting))
        if judges_pictures(make(setting)):
            assert declared.passes_per_prompt >= setting.passes_per_picture, "the drawing is included"

    def test_its_digest_is_that_of_another_one_made_alike(
        self, make: Callable[[ScoreSetting], Score], setting: ScoreSetting
    ) -> None:
        """Scores are stored under it: neither objects' addresses nor the clock may be in it."""
        assert make(setting).digest == make(setting).digest

    def test_it_gives_one_finite_number_per_prompt(
        self, start: Callable[[], Evaluator], setting: ScoreSetting, supernet: Supernet, changed: Architecture
    ) -> None:
        """In every chunk, the shorter last one too, as plain floats."""
        evaluator = start()
        with supernet.switched(changed) as unet:
            for chunk in range(setting.validation.num_chunks):
                numbers = evaluator.evaluate(unet, chunk=chunk).scores
                assert len(numbers) == len(setting.prompts(chunk))
                assert all(type(number) is float and math.isfinite(number) for number in numbers)

    def test_it_gives_the_same_bits_again(
        self, start: Callable[[], Evaluator], supernet: Supernet, changed: Architecture
    ) -> None:
        """For the same UNet, chunk and threads, by the same score and by one made alike, whatever torch's seed."""
        evaluator, other = start(), start()
        with supernet.switched(changed) as unet:
            before = evaluator.evaluate(unet, chunk=0).scores
            torch.manual_seed(99)
            torch.randn(7)
            assert evaluator.evaluate(unet, chunk=0).scores == before
            assert other.evaluate(unet, chunk=0).scores == before

    def test_it_does_not_know_what_it_scored_before(
        self, start: Callable[[], Evaluator], setting: ScoreSetting, supernet: Supernet, changed: Architecture
    ) -> None:
        """Neither other chunks nor other architectures, since workers share the work as it comes."""
        forward, backward = start(), start()
        order = [(a, c) for a in (supernet.space.base, changed) for c in range(setting.validation.num_chunks)]

        def numbers(evaluator: Evaluator, which: tuple[Architecture, int]) -> tuple[float, ...]:
            with supernet.switched(which[0]) as unet:
                return evaluator.evaluate(unet, chunk=which[1]).scores

        assert {w: numbers(forward, w) for w in order} == {w: numbers(backward, w) for w in reversed(order)}

    def test_it_leaves_the_network_as_it_was(
        self, start: Callable[[], Evaluator], supernet: Supernet, changed: Architecture
    ) -> None:
        """The same network is scored on the next chunk and trained in the next round."""
        before = {name: weight.clone() for name, weight in supernet.weights().items()}
        evaluator = start()
        with supernet.switched(changed) as unet:
            modes = [module.training for module in unet.modules()]
            hooks = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in unet.modules())
            evaluator.evaluate(unet, chunk=0)
            assert [module.training for module in unet.modules()] == modes
            assert hooks == sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in unet.modules())
        after = supernet.weights()
        assert all(torch.equal(weight, after[name]) for name, weight in before.items())

    def test_the_unchanged_network_has_distance_0_and_a_changed_one_more(
        self,
        start: Callable[[], Evaluator],
        make: Callable[[ScoreSetting], Score],
        setting: ScoreSetting,
        supernet: Supernet,
        changed: Architecture,
    ) -> None:
        """Of scores that declare to be distances to the reference."""
        if not make(setting).is_distance:
            pytest.skip("this score declares no distance to the reference")
        evaluator = start()
        for chunk in range(setting.validation.num_chunks):
            with supernet.switched(supernet.space.base) as unet:
                assert set(evaluator.evaluate(unet, chunk=chunk).scores) == {0.0}
            with supernet.switched(changed) as unet:
                assert min(evaluator.evaluate(unet, chunk=chunk).scores) > 0

    @pytest.mark.parametrize("broken", [math.nan, math.inf])
    def test_a_network_that_overflows_is_an_error_that_names_it(
        self,
        start: Callable[[], Evaluator],
        make: Callable[[ScoreSetting], Score],
        setting: ScoreSetting,
        supernet: Supernet,
        broken: float,
    ) -> None:
        """Not a number that a search would rank."""
        if not make(setting).passes_per_prompt:
            pytest.skip("this score never runs the network that it scores")
        evaluator = start()
        with supernet.switched(supernet.space.base) as unet:
            bias = unet.get_submodule("conv_out").bias
            assert isinstance(bias, torch.Tensor)
            before = bias.clone()
            with torch.no_grad():
                bias.fill_(broken)
            try:
                with pytest.raises(ScoreError, match=r"must be finite, but .* of architecture a1 "):
                    evaluator.evaluate(unet, chunk=0, of="architecture a1")
            finally:
                with torch.no_grad():
                    bias.copy_(before)
