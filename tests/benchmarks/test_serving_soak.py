"""The short form of the soak: a server under swaps, kills and malformed requests, and the load that finds mistakes."""

import json
from importlib.util import find_spec

import pytest

from benchmarks import peers, serving_soak
from benchmarks.serving_soak import MALFORMED, SHORT, CheckedLoad

RIGHT = {"b1": [(["a", "b"], [2.0, 1.0])]}
TIED = {"b1": [(["a", "b"], [2.0, 2.0])]}


def told(status, *places, bundle="b1", degraded=False, right=RIGHT):
    """Return a load that was told of one answer."""
    load = CheckedLoad(["{}"], 10, 0, right)
    items = [{"id": name, "score": score} for name, score in places]
    body = json.dumps({"bundle": bundle, "items": items, "degraded": degraded}, separators=(",", ":"))
    load.tell(0, status, 0.1, body.encode())
    return load


def test_wrong_answers_are_seen_and_equal_scores_forgiven():
    assert not told("200", ("a", 2.0), ("b", 1.0)).wrong
    assert told("200", ("b", 2.0), ("a", 2.0), right=TIED).wrong == []
    assert told("200", ("b", 2.0), ("a", 2.0), right=TIED).swapped == 2
    assert told("200", ("b", 2.0), ("a", 1.0)).wrong
    assert told("200", ("b", 2.5), ("a", 1.0)).wrong
    for places in ((), [("a", 2.0)], [("a", 2.0), ("a", 1.0)], [("a", 2.0), ("b", 1.0), ("c", 0.5)]):
        assert told("200", *places).wrong, places
    assert told("200", ("c", 2.0), ("b", 1.0)).wrong  # none of the expected ones, and not tied with the last one
    assert told("200", ("a", 2.0), ("c", 1.0)).swapped == 1
    assert told("200", ("a", 2.0), ("c", None)).wrong
    assert told("422", ("a", 2.0)).wrong
    assert told("503").failed == 1
    assert told("200", ("c", 9.0), degraded=True).degraded == 1


def test_malformed_bodies_have_to_be_refused():
    load = CheckedLoad(["{}"], 10, 0, RIGHT)
    for place, status in enumerate(["400", "422", "200"], start=1):
        load.tell(place, status, 0.1, b"{}")
    assert load.wrong == [f"{MALFORMED[2]} got the status 200"]


@pytest.mark.slow
@pytest.mark.skipif(not all(map(find_spec, ("implicit", "uvicorn"))), reason="the extras models and serve are missing")
def test_a_server_lives_through_swaps_kills_and_malformed_requests(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "cache_folder", lambda: tmp_path)
    work = serving_soak.soaked(SHORT)
    figures = {ratio["what"]: ratio["value"] for ratio in work.ratios}
    assert figures["wrong answers"] == 0
    assert figures["statuses 5xx, and connections that were closed"] == 0
    assert figures["swaps"] >= SHORT.swaps
    assert figures["descriptors of the front: last tenth less second tenth"] <= 2
