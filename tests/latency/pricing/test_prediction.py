"""Milliseconds per picture: the paper's own arithmetic, and how uncertainty grows with the steps."""

import math

import pytest

from latency import BlockLatency, Guidance, ImageLatency, LatencyPrediction
from search_spaces import BlockKind


def unet(ms: float, *, error_ms: float = 0.0) -> LatencyPrediction:
    block = BlockLatency(name="conv_in", stage="", position=-1, kind=BlockKind.CONV_IN, ms=ms)
    return LatencyPrediction(breakdown=(block,), error_ms=error_ms)


@pytest.mark.parametrize(
    ("unet_ms", "num_steps", "decoder_ms", "seconds"),
    [(230, 8, 116, 1.964), (1700, 50, 369, 85.377)],
    ids=["SnapFusion", "SD-1.5"],
)
def test_a_picture_takes_what_the_paper_says(unet_ms, num_steps, decoder_ms, seconds):
    image = ImageLatency(
        unet=unet(unet_ms), num_steps=num_steps, guidance=Guidance.IN_BATCH, text_encoder_ms=4, decoder_ms=decoder_ms
    )
    assert image.total_ms == pytest.approx(1000 * seconds)
    assert image.low_ms == image.total_ms == image.high_ms


@pytest.mark.parametrize(
    ("guidance", "unet_runs", "text_encoder_runs"),
    [(Guidance.NONE, 5, 1), (Guidance.IN_BATCH, 5, 2), (Guidance.TWICE, 10, 2)],
)
def test_guidance_decides_how_often_everything_runs(guidance, unet_runs, text_encoder_runs):
    image = ImageLatency(unet=unet(100, error_ms=2), num_steps=5, guidance=guidance, text_encoder_ms=10, decoder_ms=1)
    assert (image.num_unet_runs, image.num_text_encoder_runs) == (unet_runs, text_encoder_runs)
    assert image.total_ms == 100 * unet_runs + 10 * text_encoder_runs + 1
    assert image.error_ms == 2 * unet_runs, "every step errs alike"
    assert image.high_ms - image.total_ms == pytest.approx(1.96 * image.error_ms)
    assert image.total_ms - image.low_ms == pytest.approx(1.96 * image.error_ms)


def test_what_nobody_timed_takes_nothing():
    assert ImageLatency(unet=unet(100), num_steps=5, guidance=Guidance.TWICE).total_ms == 1000


def test_an_impossible_picture_is_refused_with_all_that_is_wrong():
    with pytest.raises(ValueError, match=r"`num_steps` must be at least 1.*`text_encoder_ms`.*`decoder_ms`"):
        ImageLatency(unet=unet(1), num_steps=0, guidance=Guidance.NONE, text_encoder_ms=-1, decoder_ms=math.inf)


def test_an_interval_never_goes_below_zero():
    assert unet(1, error_ms=5).low_ms == 0
    assert ImageLatency(unet=unet(1, error_ms=5), num_steps=3, guidance=Guidance.NONE).low_ms == 0
