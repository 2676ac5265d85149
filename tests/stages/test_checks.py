"""Refusals of what components return; the message names the offending value."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import Candidates, CurveFigure, Exclude, PluginError, StripesFigure, TableFigure
from hybridrec.stages.checks import (
    check_candidates,
    check_excluded,
    check_figures,
    check_ranked,
    check_scores,
    check_state,
)
from tests.stages.builders import pool

NAN = np.nan


def candidates(ids, scores, id_type=np.int32, score_type=np.float32):
    return Candidates(np.array(ids, id_type), np.array(scores, score_type))


GOOD = candidates([[3, 1, -1], [-1, -1, -1]], [[2.0, 2.0, NAN], [NAN, NAN, NAN]])


def test_good_candidates_pass():
    check_candidates(GOOD, queries=2, k=3, n=4)
    check_candidates(Candidates.empty(0, 5), queries=0, k=5, n=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (candidates([[1, 2]], [[2, 1]], id_type=np.int64), "ids must be int32, not int64"),
        (candidates([[1, 2]], [[2, 1]], score_type=np.float64), "scores must be float32, not float64"),
        ((np.array([[1, 2]]), np.array([[2, 1]])), "candidates must return Candidates, not tuple"),
        (None, "candidates must return Candidates, not NoneType"),
        (Candidates([[1, 2]], np.zeros((1, 2), np.float32)), "ids must be a numpy array, not list"),
        (candidates([[1]], [[2]]), r"must have the shape \[1, 2\], not \[1, 1\]"),
        (candidates([[9, 2]], [[2, 1]]), "id 9 of query 0 is not in the vocabulary of 5"),
        (candidates([[-2, 2]], [[2, 1]]), "id -2 of query 0 is not in the vocabulary"),
        (candidates([[-1, 2]], [[NAN, 1]]), "id 2 of query 0 follows padding"),
        (candidates([[4, 4]], [[2, 1]]), "id 4 of query 0 is proposed twice"),
        (candidates([[4, -1]], [[2, -7]]), "padding of query 0 has the score -7.0"),
        (candidates([[4, 2]], [[2, NAN]]), "an id of query 0 has the score nan"),
        (candidates([[4, 2]], [[np.inf, 1]]), "an id of query 0 has the score inf"),
        (candidates([[4, 2]], [[1, 2.5]]), "score 2.5 of query 0 is higher than the one before"),
    ],
)
def test_broken_candidates_are_refused(wrong, message):
    with pytest.raises(PluginError, match=message):
        check_candidates(wrong, queries=1, k=2, n=5)


def test_rounding_does_not_count_as_a_wrong_order():
    check_candidates(candidates([[4, 2]], [[1000, 1000.001]]), queries=1, k=2, n=5)


def test_what_is_excluded_is_refused_and_padding_is_not():
    check_excluded(GOOD, Exclude(csr_matrix([[1, 0, 1, 0], [1, 1, 1, 1]])))
    with pytest.raises(PluginError, match="candidates: id 3 of query 0 is excluded"):
        check_excluded(GOOD, Exclude(csr_matrix([[0, 0, 0, 1], [0, 0, 0, 0]])))
    with pytest.raises(PluginError, match="candidates: id 1 of query 0 is excluded"):
        check_excluded(GOOD, Exclude(ids=np.array([False, True, False, False])))


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((1, 2)), "must be float32, not float64"),
        (np.zeros((2, 2), np.float32), r"shape \[1, 2\], not \[2, 2\]"),
        (np.zeros((1, 2), np.float32), "padding of query 0 has the score 0.0"),
        (np.array([[-np.inf, NAN]], np.float32), "is -inf; return NaN"),
    ],
)
def test_broken_scores_are_refused(scores, message):
    with pytest.raises(PluginError, match=message):
        check_scores(scores, np.array([[1, -1]], np.int32))
    check_scores(np.array([[NAN, NAN]], np.float32), np.array([[1, -1]], np.int32))


STRIPES = np.zeros((2, 3), np.float32)


def test_good_figures_pass():
    check_figures([])
    check_figures(
        (
            CurveFigure("c", "x", "y", [(1, 2), (3, NAN)], chosen=1),
            TableFigure("t", ["a", "b"], [["x", None], [1, 2.5]]),
            StripesFigure("s", ["a", "b"], STRIPES, ["", "near"]),
        )
    )


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        ("a picture", "str is not a CurveFigure, a TableFigure or a StripesFigure"),
        (CurveFigure("c", "x", "y", []), "'c': 0 points, and 1 to 1000 can be shown"),
        (CurveFigure("c", "x", "y", [(1, 1)] * 1001), "1001 points"),
        (CurveFigure("c", "x", "y", [(1, 2, 3)]), "a point is a pair"),
        (CurveFigure("c", "x", "y", [(1, 2)], chosen=1), "1 is not the place of a point"),
        (TableFigure("t", ["a", "b"], [[1, 2], [1]]), "row 1 has 1 cells for 2 headers"),
        (TableFigure("t", ["a"] * 21, [[1] * 21]), "21 headers, and 1 to 20"),
        (TableFigure("t", ["a"], [[1]] * 1001), "1001 rows"),
        (StripesFigure("s", ["a"], STRIPES), r"vectors must have the shape \[1, 3\], not \[2, 3\]"),
        (StripesFigure("s", ["a"], STRIPES[0]), r"must have the shape \[1, 3\], not \[3\]"),
        (StripesFigure("s", ["a", "b"], STRIPES.astype(float)), "must be float32"),
        (StripesFigure("s", ["a", "b"], STRIPES, ["one"]), "1 texts for 2 vectors"),
        (StripesFigure("s", ["a", "b"], STRIPES[:, :0]), "0 dimensions, and 1 to 2048"),
        (StripesFigure("s", ["a"] * 51, np.zeros((51, 1), np.float32)), "51 vectors, and 1 to 50"),
    ],
)
def test_figures_that_cannot_be_shown_are_refused(figure, message):
    with pytest.raises(PluginError, match=message):
        check_figures([figure])


def test_figures_are_a_list():
    with pytest.raises(PluginError, match="figures must return a list, not NoneType"):
        check_figures(None)


def test_scores_and_orders_have_nan_where_the_contract_has_it():
    ids = np.array([[4, 7, -1], [3, -1, -1]], np.int32)
    given = np.array([[NAN, 2, NAN], [1, NAN, NAN]], np.float32)
    check_scores(given, ids)
    check_scores(given, ids, proposed=np.array([[NAN, 5, NAN], [NAN, NAN, NAN]], np.float32))
    with pytest.raises(PluginError, match="scores: id 4 of query 0 is NaN, but the component proposed it itself"):
        check_scores(given, ids, proposed=np.array([[5, 5, NAN], [5, NAN, NAN]], np.float32))
    candidates_of_two = pool(ids, {"a": given})
    with pytest.raises(PluginError, match="final: id 4 of query 0 has the score nan; give every candidate a number"):
        check_ranked(candidates_of_two.ranked(given), candidates_of_two)
    whole = np.where(ids < 0, np.float32(NAN), np.nan_to_num(given))
    check_ranked(candidates_of_two.ranked(whole), candidates_of_two)
    whole[1, 0] = -np.inf
    with pytest.raises(PluginError, match="final: id 3 of query 1 has the score -inf"):
        check_ranked(candidates_of_two.ranked(whole), candidates_of_two)


@pytest.mark.parametrize("state", [None, [("a", np.zeros(1))], 3])
def test_a_state_is_a_mapping(state):
    with pytest.raises(
        PluginError, match=f"state must return a mapping of names to arrays, not {type(state).__name__}"
    ):
        check_state(state)
