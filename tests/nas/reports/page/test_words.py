"""Numbers as a page says them."""

import math

import pytest

from nas.reports.page.values import Estimate
from nas.reports.page.words import action_label, chance, duration, interval, many, milliseconds, number, percent


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (number(-0.00001, digits=3, signed=True), "0.000"),  # neither -0 nor +0
        (number(-1234.5, digits=1), "−1,234.5"),
        (number(None), "–"),
        (number(math.nan), "–"),
        (number(-math.inf, signed=True), "−∞"),
        (milliseconds(21.633), "21.6\xa0ms"),
        (milliseconds(0.366), "0.37\xa0ms"),
        (milliseconds(2345.6), "2,346\xa0ms"),
        (percent(0.3835), "38\xa0%"),
        (chance(0.9999), ">\u200999\xa0%"),
        (chance(0.0), "<\u20091\xa0%"),
        (chance(0.914), "91\xa0%"),
        (chance(math.nan), "–"),
        (many(4_879_180), "4.88\xa0M"),
        (many(860e6), "860\xa0M"),
        (many(12), "12"),
        (duration(75), "75\xa0s"),
        (duration(190), "3\xa0min"),
        (duration(9000), "2.5\xa0h"),
    ],
)
def test_a_number_is_said_as_people_read_it(said: str, meant: str) -> None:
    assert said == meant


def test_an_interval_has_the_digits_that_it_allows() -> None:
    assert interval(Estimate(mean=0.00231, low=-0.00717, high=0.01179), signed=True) == "+0.0023 [−0.0072, +0.0118]"
    assert interval(Estimate(mean=0.5, low=-math.inf, high=math.inf)) == "0.5000 [−∞, ∞]"  # a single prompt
    assert interval(Estimate(mean=-3.8e-6, low=-1.5e-5, high=7.6e-6), signed=True) == "−0.000004 [−0.000015, +0.000008]"


def test_an_action_is_named_for_people_and_a_strange_one_as_it_is_written() -> None:
    names = {"resnet[mid,0]": "Mid ResNet 1"}
    assert action_label("-resnet[mid,0]", names) == "remove Mid ResNet 1"
    assert action_label("+resnet[mid,0]", names) == "copy Mid ResNet 1"
    assert action_label("-resnet[mid,0]&-position[mid,0]", names) == "-resnet[mid,0]&-position[mid,0]"
