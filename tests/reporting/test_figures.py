"""Scales, ticks and histograms."""

from __future__ import annotations

import numpy as np
import pytest

from hybridrec.reporting.figures import WIDTH, Estimate, Histogram, Intervals, Scale


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.2841, 0.2877), (-3e-7, 2e-7), (-1500, 90_000), (0.999, 1.0), (1e9, 1e9 + 3)]
)
def test_ticks_are_few_round_and_inside(low, high):
    scale = Scale.over([low, high])
    ticks = scale.ticks
    assert 2 <= len(ticks) <= 6
    assert all(0 < x < WIDTH for x, _ in ticks)
    for x, text in ticks:
        assert scale(float(text)) == pytest.approx(x, abs=0.5)
    assert len({text for _, text in ticks}) == len(ticks)


@pytest.mark.parametrize("value", [0.0, 0.4, -7.0, 1e-9])
def test_a_single_value_has_a_scale(value):
    scale = Scale.over([value])
    assert scale(value) == pytest.approx(WIDTH / 2)
    assert scale.ticks


def test_intervals_lie_on_the_scale():
    rows = [Estimate("a", "blend", 0.5, (0.4, 0.6)), Estimate("b", "single", 0.9)]
    figure = Intervals.of("ndcg", rows)
    assert all(0 < figure.scale(end) < WIDTH for row in rows for end in row.ends)
    assert [y for _, y in figure.places] == sorted(y for _, y in figure.places)
    assert figure.places[-1][1] < figure.bottom
    assert figure.description == "ndcg: a 0.5000 ± 0.1000; b 0.9000"


def test_a_histogram_counts_everybody_once():
    differences = np.array([-0.5, -1e-13, 0.0, 0.1, 0.5, 0.5, 1e-6])
    figure = Histogram.of("gain", differences)
    assert (figure.losses, figure.ties, figure.wins) == (1, 2, 4)
    kinds = [kind for *_, kind, _ in figure.bars]
    assert kinds.count("loss") == kinds.count("win") == 12
    assert kinds.count("tie") == 1
    assert Histogram.of("none", np.zeros(3)).ties == 3
