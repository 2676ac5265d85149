"""The benchmark of latency measures every first-party component, or says why not."""

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import latency, peers
from hybridrec import Generator, Registry, Scorer

pytestmark = pytest.mark.skipif(
    not all(map(find_spec, ("implicit", "gensim", "lightfm", "faiss"))), reason="not all models are installed"
)


def first_party():
    """Return the names of the generators and scorers that this distribution provides."""
    registry = Registry()
    return {
        cls.name
        for cls in registry.classes("components")
        if issubclass(cls, Generator | Scorer) and registry.provider_of(cls).distribution == "hybridrec"
    }


@pytest.mark.filterwarnings("ignore")  # libraries warn of data as small as this
def test_every_component_is_measured_or_left_out_for_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(latency, "QUERIES", 4)
    work = latency.components(latency.QUICK_CATALOGUES[0], quick=True)
    assert work.ways.keys() | latency.UNMEASURED.keys() == first_party() | {" + ".join(latency.BLEND)}
    assert not work.ways.keys() & latency.UNMEASURED.keys()
    assert all(len(reason.split()) > 3 for reason in latency.UNMEASURED.values())
    assert latency.LARGEST.keys() <= work.ways.keys()
    for way in work.ways.values():
        (share,) = way.facts.values()
        assert share > 0
        assert min(way.cpu) > 0


def test_a_component_without_a_measurement_is_noticed(monkeypatch):
    monkeypatch.setattr(latency, "UNMEASURED", {})
    assert "slate-file" in {cls.name for cls in latency.measured(Registry())}


def test_each_way_answers_some_queries_in_a_row_and_all_of_them_once():
    asked = []

    def way(name, answer):
        return lambda place: asked.append((name, place)) or answer(np.arange(place, place + 10))

    asks = {
        latency.OURS: way("ours", lambda ids: SimpleNamespace(ids=ids[None])),
        latency.SOLVED: way("solved", lambda ids: (ids, None)),
    }
    ways = latency._alternated(asks, 3, in_a_row=2)
    assert asked == [("ours", 0), ("ours", 1), ("solved", 0), ("solved", 1), ("ours", 2), ("solved", 2)]
    assert [len(each.cpu) for each in ways.values()] == [3, 3]
    asks[latency.SOLVED] = way("other items", lambda ids: (ids + 5, None))
    with pytest.raises(AssertionError, match="different items"):
        latency._alternated(asks, 1, in_a_row=1)
