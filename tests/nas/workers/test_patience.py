"""How long workers may be silent: a law about time, whose clock is an argument."""

from math import inf

import pytest

from nas.workers.patience import Patience, Silence


def test_a_setting_is_the_limit_whatever_answers_took() -> None:
    patience = Patience(timeout_s=5.0)
    patience.answered(100.0)
    assert patience.lost_after_s == 5.0


def test_without_a_setting_the_longest_answer_says_how_long() -> None:
    patience = Patience()
    assert (patience.named_after_s, patience.lost_after_s) == (60, inf), "nobody knows yet what a task takes"
    patience.answered(10.0)
    assert (patience.named_after_s, patience.lost_after_s) == (60, 600)
    patience.answered(50.0)
    patience.answered(1.0)
    assert (patience.named_after_s, patience.lost_after_s) == (200, 1000)


def test_a_silent_worker_is_named_seldomer_and_seldomer_and_then_lost() -> None:
    patience = Patience()
    silence = Silence(since=1000.0, patience=patience)
    named, now = [], 1000.0
    patience.answered(10.0)
    while not silence.is_lost(now):
        assert silence.next_look() > now
        now = silence.next_look()
        if silence.is_news(now):
            named.append(now - silence.since)
    assert named == [60, 120, 240, 480]
    assert now - silence.since == 600


@pytest.mark.parametrize("away_s", [0.0, 59.9])
def test_nobody_is_named_too_soon(away_s: float) -> None:
    assert not Silence(since=3.0, patience=Patience()).is_news(3.0 + away_s)


def test_who_was_not_looked_at_for_long_is_named_once() -> None:
    silence = Silence(since=0.0, patience=Patience())
    assert silence.is_news(500.0)
    assert not silence.is_news(500.0)
    assert silence.next_look() == 960
