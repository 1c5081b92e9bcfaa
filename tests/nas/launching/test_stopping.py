"""Ctrl-C: at once before the steps, after the step that is under way among them, and at once again the second time."""

import signal
import threading

import pytest

from nas.launching.stopping import Stopping

BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@BOTH
def test_before_the_steps_it_stops_at_once(number: signal.Signals) -> None:
    with Stopping() as stopping:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert not stopping.asked


@BOTH
def test_among_the_steps_it_is_asked_once_and_obeyed_at_once_the_second_time(number: signal.Signals) -> None:
    with Stopping() as stopping:
        stopping.is_stepping = True
        asked = [stopping.asked]
        signal.raise_signal(number)
        assert [*asked, stopping.asked] == [False, True]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_who_heard_signals_before_hears_them_again() -> None:
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with Stopping():
        assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] != before
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_other_threads_than_the_main_one_hear_nothing() -> None:
    heard, before = list[bool](), signal.getsignal(signal.SIGINT)

    def work() -> None:
        with Stopping() as stopping:
            heard.append(stopping.asked or signal.getsignal(signal.SIGINT) is not before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [False]
