"""Synthetic lists of two published systems: their sizes, their settings, and a measurement of each on a small scale."""

import numpy as np
import pytest

from benchmarks.published_sizes import SYSTEMS, Popularity, published_sizes

pytest.importorskip("gensim")


def test_the_settings_are_those_that_were_published():
    melon, radio = SYSTEMS["melon"].options(), SYSTEMS["radio"].options(workers=2)
    assert (melon["window"], melon["dim"], melon["min_count"], melon["epochs"]) == (100, 300, 10, 50)
    assert (melon["algorithm"], melon["tokenizer"]) == ("skip-gram", {"use": "words"})
    assert (radio["algorithm"], radio["window"], radio["dim"], radio["negative"]) == ("cbow", 10, 256, 20)
    assert (radio["epochs"], radio["workers"]) == (100, 2)


@pytest.mark.parametrize("key", SYSTEMS)
def test_lists_are_as_long_and_as_many_as_published(key):
    system = SYSTEMS[key]
    data = system.dataset(100)
    assert len(data.users) == pytest.approx(system.lists / 100, rel=0.01)
    assert len(data.interactions.ids) / len(data.users) == pytest.approx(system.plays / system.lists, rel=0.1)
    twice = data.interactions.matrix().data.max() > 1
    assert twice == system.repeats
    assert (data.items.features is not None) == bool(data.kinds) == bool(system.tags)
    again = system.dataset(100)
    assert np.array_equal(again.interactions.ids, data.interactions.ids)


def test_every_song_of_the_radio_is_played_as_no_other_would_have_a_vector():
    data = SYSTEMS["radio"].dataset(100)
    assert np.bincount(data.interactions.ids, minlength=len(data.items)).min() >= 1
    assert len(data.items) == SYSTEMS["radio"].songs // 100


def test_shares_fall_with_the_rank():
    ids = Popularity(1.0, 2.0).draw(200_000, 50, np.random.default_rng(0))
    counts = np.sort(np.bincount(ids, minlength=50))[::-1]
    shares = 1 / (np.arange(1, 51) + 2)
    assert counts == pytest.approx(200_000 * shares / shares.sum(), rel=0.15)
    assert ids.max() < 50


@pytest.mark.slow
def test_each_system_is_measured_on_one_thread_and_two():
    works = published_sizes(quick=True)
    assert len(works) == len(SYSTEMS)
    for work, system in zip(works, SYSTEMS.values(), strict=True):
        assert list(work.ways) == ["1 worker", "2 workers"]
        assert work.name.startswith(system.name)
        assert all(way.wall[0] > 0 and way.facts["private memory at the peak, GB"] > 0.01 for way in work.ways.values())
        ratio, *hours = [ratio["what"] for ratio in work.ratios]
        epochs = system.options()["epochs"]
        assert ratio == "2 workers / 1 worker"
        assert hours == [f"hours of {epochs} epochs on {workers}, {epochs - 2} of them computed" for workers in (1, 2)]
