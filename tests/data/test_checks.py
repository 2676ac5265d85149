"""Refusals of what readers and splitters return; the message names the offending value."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import PluginError
from hybridrec.data.checks import check_dataset, check_fold, check_hidden
from hybridrec.testing import toy_dataset
from tests.broken import Halves, Leaks, TrainsOnEverything

DATA = toy_dataset()
SEED = np.random.default_rng(0)
FOLD = Halves().fold("test", DATA, SEED)
N = len(FOLD.queries)


def truth(**changed):
    return replace(FOLD, truth={**FOLD.truth, **changed})


def asked(**changed):
    return replace(FOLD, queries=replace(FOLD.queries, **changed))


BROKEN = {
    "a splitter must yield objects of class Fold, not tuple": (FOLD,),
    "fold 'test': train must be a Dataset, not NoneType": replace(FOLD, train=None),
    "fold 'test': queries must be a QueryBatch, not list": replace(FOLD, queries=[]),
    "fold 'test': train has 39 items, the data has 40": replace(FOLD, train=toy_dataset(items=39)),
    "fold 'test': history of the queries has 3 rows": asked(history=FOLD.queries.history.take(slice(0, 3))),
    "history of the queries has 39 columns for 40 items": asked(history=replace(FOLD.queries.history, width=39)),
    "the history has item -1, not in the vocabulary": asked(
        history=replace(FOLD.queries.history, ids=np.full_like(FOLD.queries.history.ids, -1))
    ),
    "tags of the queries has 2 rows": asked(entities={"tags": FOLD.queries.matrix("tags")[:2]}),
    f"queries have 1 texts for {N} queries": asked(text=("",)),
    "times of the queries must be float64, not int64": asked(times=np.zeros(N, int)),
    f"truth of items has {N - 1} rows for {N} queries": truth(items=FOLD.truth["items"][1:]),
    "truth of tags has 40 columns for 12 tags": truth(tags=FOLD.truth["items"]),
    "truth of items must be a csr matrix, not coo_matrix": truth(items=FOLD.truth["items"].tocoo()),
    "truth of items has the entry 2.0; all entries must be 1": truth(items=FOLD.truth["items"] * 2),
    "truth lacks 'tags'": replace(FOLD, truth={"items": FOLD.truth["items"]}),
    "units must be a numpy array, not list": replace(FOLD, units=FOLD.units.tolist()),
    "units must be int32, not int64": replace(FOLD, units=FOLD.units.astype(np.int64)),
    "unit 60 of query 0 is not the code of a user": replace(FOLD, units=np.full(N, 60, np.int32)),
    f"weights must have the shape \\[{N}\\], not \\[{N - 1}\\]": replace(FOLD, weights=FOLD.weights[1:]),
    "weight nan of query 0 is not positive": replace(FOLD, weights=FOLD.weights * np.nan),
    "gains of items must be a csr matrix, not coo_matrix": replace(FOLD, gains={"items": FOLD.truth["items"].tocoo()}),
    "gains of venues belong to a target for which the fold has no truth": replace(
        FOLD, gains={"venues": FOLD.truth["items"]}
    ),
    "gains of items must have an entry for every entry of the truth": replace(
        FOLD, gains={"items": csr_matrix(FOLD.truth["items"].shape, dtype=np.float32)}
    ),
    "gains of items have the entry nan; all entries must be finite": replace(
        FOLD, gains={"items": FOLD.truth["items"] * np.nan}
    ),
    "candidate_items must have the shape": replace(FOLD, candidate_items=np.ones(3, bool)),
    "candidate_items must be bool, not float64": replace(FOLD, candidate_items=np.ones(40)),
}


def test_a_sound_fold_passes():
    check_hidden(check_fold(FOLD, DATA))
    check_fold(replace(FOLD, candidate_items=np.ones(40, bool)), DATA)
    check_fold(replace(FOLD, gains={"items": FOLD.truth["items"] * 3}), DATA)


def test_the_name_of_a_fold_may_be_anything():
    with pytest.raises(PluginError, match=r"fold '\{0\}': weight 0.0 of query 0"):
        check_fold(replace(FOLD, name="{0}", weights=FOLD.weights * 0), DATA)


def test_a_fold_that_asks_nothing_is_sound():
    nobody = slice(0, 0)
    empty = {target: csr_matrix((0, relevant.shape[1])) for target, relevant in FOLD.truth.items()}
    fold = replace(FOLD, queries=FOLD.queries.take(nobody), truth=empty, units=FOLD.units[:0], weights=FOLD.weights[:0])
    check_hidden(check_fold(fold, DATA))


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_fold_is_refused(message):
    with pytest.raises(PluginError, match=message):
        check_fold(BROKEN[message], DATA)


@pytest.mark.parametrize(
    ("splitter", "where"), [(Leaks, "its history"), (TrainsOnEverything, "its user's training history")]
)
def test_a_fold_that_shows_what_it_asks_for_is_refused(splitter, where):
    fold = check_fold(splitter().fold("test", DATA, SEED), DATA)
    with pytest.raises(PluginError, match=rf"fold 'test': query \d+ asks for item \d+, which is in {where}"):
        check_hidden(fold)


def test_only_a_dataset_is_data():
    assert check_dataset(DATA) is DATA
    with pytest.raises(PluginError, match="read must return a Dataset, not NoneType"):
        check_dataset(None)
