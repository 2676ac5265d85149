"""Observers are told what they ask for; one that fails is named once and keeps the others from nothing."""

from __future__ import annotations

import pytest

from hybridrec import hookimpl
from hybridrec.registry.discovery import Registry
from hybridrec.registry.observers import Observers


def test_observers_are_called_by_the_names_of_their_arguments():
    class Observer:
        seen = []

        @hookimpl
        def hybridrec_fitted(self, label, cached):
            self.seen.append((label, cached))

    registry = Registry([])
    registry.manager.register(Observer())
    registry.manager.hook.hybridrec_fitted(label="als", component="als", fold="1", seconds=0.1, cached=True)
    assert Observer.seen == [("als", True)]


class Listener:
    """Remembers the folds it heard of, and fails first if it is to."""

    def __init__(self, name, *, fails=False):
        self.__name__ = name
        self.fails = fails
        self.heard = []

    @hookimpl
    def hybridrec_fitted(self, fold):
        self.heard.append(fold)
        if self.fails:
            raise OSError("disk full")

    @hookimpl
    def hybridrec_run_finished(self, folder):
        self.heard.append(folder)


FITTED = {"label": "als", "component": "als", "seconds": 0.1, "cached": False}


@pytest.fixture
def told():
    """A failing observer between two sound ones, and what tells them."""
    registry = Registry([])
    listeners = [Listener("first"), Listener("broken", fails=True), Listener("last")]
    for listener in listeners:
        registry.manager.register(listener)
    return Observers(registry.manager), listeners


def test_an_observer_that_fails_is_named_once_and_stops_no_other(told):
    observers, listeners = told
    for fold in ("1", "2"):
        observers.tell("hybridrec_fitted", fold=fold, **FITTED)
    assert [listener.heard for listener in listeners] == [["1", "2"], ["1"], ["1", "2"]]
    (failure,) = observers.failures
    assert failure == (
        "module broken, not of an installed plugin failed in hybridrec_fitted and was not called again: "
        "OSError: disk full"
    )


def test_an_observer_that_failed_in_one_hook_is_still_called_in_the_others(told):
    observers, listeners = told
    observers.tell("hybridrec_fitted", fold="1", **FITTED)
    observers.tell("hybridrec_run_finished", report={}, folder="runs/1")
    assert [listener.heard[-1] for listener in listeners] == ["runs/1"] * 3


@pytest.mark.parametrize(("trace", "shown"), [("1", True), ("0", False)])
def test_the_trace_shows_calls_of_observers_and_where_they_failed(told, monkeypatch, capsys, trace, shown):
    monkeypatch.setenv("HYBRIDREC_TRACE", trace)
    told[0].tell("hybridrec_fitted", fold="1", **FITTED)
    err = capsys.readouterr().err
    assert ("hybridrec_fitted to first" in err) == shown
    assert ('raise OSError("disk full")' in err) == shown
