"""Conditions on values that ids have, and the exclusion of some queries of a table."""

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import FeatureColumn
from hybridrec.data.ragged import Ragged
from hybridrec.serving.query_exclusion import Condition, QueryExclusion, match_values

NAN = np.nan
HELD = csr_matrix(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32))


def allowed(exclusion, rows):
    """For each of the rows the ids that are left of four."""
    scores = np.zeros((len(rows), 4), np.float32)
    exclusion.take(np.array(rows)).mask(scores)
    return [np.flatnonzero(row == 0).tolist() for row in scores]


def test_an_id_has_any_value_of_each_condition_and_is_not_blocked():
    either = Condition(
        csr_matrix(np.array([[1, 1], [1, 0], [0, 0], [0, 0]])), np.array([True, True, False, True]), HELD
    )
    second = Condition(csr_matrix(np.array([[0], [1], [0], [0]])), np.array([False, True, False, False]), HELD[:, [1]])
    blocked = Ragged.from_rows([[], [], [3], [], [0]], 4)
    exclusion = QueryExclusion(blocked, (either, second), np.array([0, 1, 2, 3, 0], np.int32))
    whole = [[0, 1, 2], [2], [0, 1, 2], [], [1, 2]]
    assert allowed(exclusion, range(5)) == whole
    assert allowed(exclusion, [4, 2, 1]) == [whole[4], whole[2], whole[1]]
    assert exclusion.take(np.array([0, 4])).groups.shape == (1, 4)  # the queries ask for the same


def test_queries_that_say_nothing_exclude_nothing():
    assert QueryExclusion(None, (), np.empty(0, np.int32)).take(np.arange(3)).excludes_nothing


def test_numbers_are_those_that_ids_have():
    column = FeatureColumn("number", np.array([0.1, NAN, 2, 0.1], np.float32))
    asked, held = match_values(column, np.array([0.1, 5, NAN, 2, 0], np.float32), np.array([0, 0, 1, 1, 2]), 3)
    assert (asked @ held.T).toarray().tolist() == [[1, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_nobody_asks_for_a_value_that_nothing_has():
    column = FeatureColumn("time", np.array([NAN, NAN]))
    asked, held = match_values(column, np.array([1.0]), np.array([0]), 1)
    assert (asked @ held.T).toarray().tolist() == [[0, 0]]
