"""Events are plain values, without scores and without data; an observer has options like any plugin."""

from __future__ import annotations

import dataclasses

import pytest

import hybridrec
from hybridrec.observers import base

EVENTS = [cls for cls in vars(base).values() if isinstance(cls, type) and issubclass(cls, base.Event)]
PLAIN = {
    "str", "int", "float", "bool", "tuple[str, ...]", "tuple[tuple[str, ...], ...]",
    "Mapping[str, Any]", "Mapping[str, float]", "Mapping[str, float | None]",
}  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda cls: cls.__name__)
def test_every_event_is_public_and_carries_the_id_of_its_run_and_plain_values(event):
    assert getattr(hybridrec, event.__name__) is event
    types = {field.name: field.type for field in dataclasses.fields(event)}
    assert types["run"] == "str"
    assert set(types.values()) <= PLAIN


def test_an_observer_must_take_note_of_events():
    class Deaf(base.Observer):
        """Does not listen."""

        name = "deaf"

    with pytest.raises(TypeError, match="observe"):
        Deaf()
