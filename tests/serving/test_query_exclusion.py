"""The exclusion of some queries of a table: blocked ids, and conditions that several queries share."""

import numpy as np

from hybridrec import AttributeIndex, FeatureColumn, Features
from hybridrec.data.ragged import Ragged
from hybridrec.serving.filter_rules import conditions_of
from hybridrec.serving.query_exclusion import QueryExclusion

NAN = np.nan
INDEX = AttributeIndex(Features({"cost": FeatureColumn("number", np.array([1, 2, NAN, 4], np.float32))}), "items")


def allowed(exclusion, rows):
    """For each of the rows the ids that are left of four."""
    scores = np.zeros((len(rows), 4), np.float32)
    exclusion.take(np.array(rows)).mask(scores)
    return [np.flatnonzero(row == 0).tolist() for row in scores]


def test_an_id_meets_all_conditions_and_is_not_blocked():
    cheap, odd = {"column": "cost", "to": 2}, {"column": "cost", "is": 2, "not": True}
    conditions = (conditions_of(INDEX, [cheap]), conditions_of(INDEX, [cheap, odd]))
    blocked = Ragged.from_rows([[], [], [3], [], [0]], 4)
    exclusion = QueryExclusion(blocked, conditions, np.array([0, 1, -1, -1, 0], np.int32))
    whole = [[0, 1], [0], [0, 1, 2], [0, 1, 2, 3], [1]]
    assert allowed(exclusion, range(5)) == whole
    assert allowed(exclusion, [4, 2, 1]) == [whole[4], whole[2], whole[1]]
    assert exclusion.take(np.array([0, 3, 4])).groups.shape == (1, 4)  # two queries ask for the same
    assert exclusion.take(np.array([3, 2])).groups is None


def test_queries_that_say_nothing_exclude_nothing():
    assert QueryExclusion(None, (), np.full(5, -1, np.int32)).take(np.arange(3)).excludes_nothing
