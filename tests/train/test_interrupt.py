"""Ctrl-C is held back until an update is whole, and never lost."""

import os
import signal
import threading

import pytest

from scg.train.interrupt import between_updates


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_it_is_raised_where_it_is_asked_for():
    with pytest.raises(KeyboardInterrupt), between_updates() as ask:
        ask()
        press()
        done = True  # the update goes on
        ask()
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_other_signals_that_end_a_process_are_held_back_too(name):
    number = getattr(signal, name)
    done = []
    with pytest.raises(SystemExit) as stop, between_updates() as ask:
        os.kill(os.getpid(), number)
        done.append(True)
        ask()
    assert done and stop.value.code == 128 + number
    assert signal.getsignal(number) is signal.SIG_DFL


def test_what_comes_after_the_last_update_is_not_lost():
    with pytest.raises(KeyboardInterrupt), between_updates():
        press()


def test_a_second_press_interrupts_at_once():
    with pytest.raises(KeyboardInterrupt), between_updates():
        press()
        press()
        pytest.fail("not interrupted")


def test_other_handlers_and_threads_are_left_alone():
    mine = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with between_updates() as ask:
            press()
            ask()
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, mine)
    failed = []

    def work():
        try:
            with between_updates() as ask:
                ask()
        except ValueError as error:  # only the main thread may set handlers
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failed
