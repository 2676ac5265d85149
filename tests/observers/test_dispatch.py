"""Observers are told every event; one that fails is named once and keeps the others from nothing."""

from __future__ import annotations

import threading

import pytest

from hybridrec.observers.base import FitFinished, Observer, RunFailed, RunFinished
from hybridrec.observers.dispatch import Observers

FITTED = {"label": "als", "component": "als", "level": "full", "repeat": 1, "seconds": 0.1, "cached": False}


class Listener(Observer):
    """Remembers what it heard, and fails at fits if it is to."""

    name = "listener"
    fails = False

    def __init__(self):
        super().__init__()
        self.heard = []

    def observe(self, event):
        self.heard.append(event)
        if self.fails and isinstance(event, FitFinished):
            raise OSError("disk full")


class Broken(Listener):
    """One that fails."""

    name = "broken"
    fails = True


@pytest.fixture
def listeners():
    return [Listener(), Broken(), Listener()]


@pytest.fixture
def observers(listeners):
    return Observers(listeners)


def test_every_event_of_a_run_carries_its_id_and_no_other_has_it(observers, listeners):
    observers.tell(FitFinished, fold="1", **FITTED)
    observers.tell(RunFinished, folder="runs/1")
    assert {event.run for event in listeners[0].heard} == {observers.run}
    assert observers.run != Observers().run


def test_an_observer_that_fails_is_named_once_and_stops_no_other(observers, listeners):
    for fold in ("1", "2"):
        observers.tell(FitFinished, fold=fold, **FITTED)
    assert [[event.fold for event in each.heard] for each in listeners] == [["1", "2"], ["1"], ["1", "2"]]
    (failure,) = observers.failures
    assert failure == (
        f"the observer 'broken', module {__name__}, not of an installed plugin, failed at FitFinished and was not told "
        "it again: OSError: disk full"
    )


def test_an_observer_that_failed_at_one_event_is_still_told_the_others(observers, listeners):
    observers.tell(FitFinished, fold="1", **FITTED)
    observers.tell(RunFinished, folder="runs/1")
    assert [each.heard[-1].folder for each in listeners] == ["runs/1"] * 3


@pytest.mark.parametrize(("trace", "shown"), [("1", True), ("0", False)])
def test_the_trace_shows_events_and_where_observers_failed(observers, monkeypatch, capsys, trace, shown):
    monkeypatch.setenv("HYBRIDREC_TRACE", trace)
    observers.tell(FitFinished, fold="1", **FITTED)
    err = capsys.readouterr().err
    assert ("FitFinished to listener 1" in err) == shown
    assert ('raise OSError("disk full")' in err) == shown


@pytest.mark.parametrize("error", [ValueError("disk full"), KeyboardInterrupt("disk full")])
def test_a_failure_is_told_and_raised(observers, listeners, error):
    with pytest.raises(type(error)), observers.told_of_failure():
        raise error
    assert listeners[0].heard == [RunFailed(run=observers.run, error=f"{type(error).__name__}: disk full")]


def test_failures_become_warnings_where_there_is_no_report(observers):
    observers.tell(FitFinished, fold="1", **FITTED)
    with pytest.warns(RuntimeWarning, match="the observer 'broken', .* OSError: disk full"):
        observers.warn()
    observers.warn()
    assert observers.failures == []


def test_an_observer_is_called_by_one_thread_at_a_time():
    class Slow(Listener):
        """Counts who is inside."""

        inside, most = 0, 0

        def observe(self, event):
            self.inside += 1
            self.most = max(self.most, self.inside)
            threading.Event().wait(0.005)
            self.inside -= 1

    slow = Slow()
    observers = Observers([slow])
    threads = [threading.Thread(target=observers.tell, args=[RunFinished], kwargs={"folder": ""}) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slow.most == 1
