"""The ways to use dislikes and other kinds of events differ in what they train on and keep out, and in nothing else."""

import numpy as np
import polars as pl
import pytest

from benchmarks.event_kinds import DISLIKES, KINDS, Way, artists, holds_hidden_dislike, rows, slates_of
from hybridrec import Tables, assemble
from hybridrec.config.load import load_experiment
from hybridrec.engine.folds import folds_of
from hybridrec.registry.discovery import Registry

SPLIT = {
    "name": "kinds",
    "data": {"reader": "setlists"},
    "split": {"use": "random", "test": 0.3},
    "components": {"popularity": {}},
    "pipelines": {"control": {"generators": [{"from": "popularity"}]}},
}


@pytest.fixture(scope="module")
def judged():
    """Likes and dislikes of two groups of users."""
    pairs = {(user, (user % 2) * 9 + item % 9): 1.0 for user in range(40) for item in range(user, user + 6)}
    pairs |= {(user, (1 - user % 2) * 9 + item % 9): -1.0 for user in range(40) for item in range(user, user + 4)}
    triples = [(f"u{user}", f"i{item}", weight) for (user, item), weight in pairs.items()]
    frame = pl.DataFrame(triples, schema=["user", "item", "weight"], orient="row").cast({"weight": pl.Float32})
    return assemble(Tables(interactions=frame))


def test_what_is_disliked_is_kept_out_and_the_hidden_rest_is_counted(judged):
    pytest.importorskip("implicit")
    (fold,) = folds_of(load_experiment(SPLIT, Registry()), judged)
    slates = slates_of(fold, Way("all", "popularity", informed=False))
    kept = slates_of(fold, Way("kept out", "popularity", informed=False, excluded=True))
    disliked = fold.queries.disliked.matrix(binary=True).toarray() > 0
    taken = np.arange(len(slates))[:, None]
    assert disliked[taken, slates][slates >= 0].any()
    assert not disliked[taken, kept][kept >= 0].any()
    hidden = holds_hidden_dislike(kept, fold, judged)
    everything = judged.dislikes.take(fold.units).matrix(binary=True).toarray() > 0
    expected = ((everything & ~disliked)[taken, kept] & (kept >= 0)).any(axis=1)
    assert hidden.tolist() == expected.tolist()
    table = list(rows("toy", judged, DISLIKES))
    assert [row[2] for row in table] == [way.name for way in DISLIKES]
    assert table[0][4] == ""
    assert " to " in table[1][4]


def test_plays_are_asked_for_and_taggings_inform(tmp_path):
    pytest.importorskip("implicit")
    folder = tmp_path / "lastfm2k"
    folder.mkdir()
    plays = [f"{user}\t{(user + item) % 23}\t{item + 1}" for user in range(30) for item in range(8)]
    tags = [f"{user}\t{(user + item) % 23}\t1\t1\t1\t2009" for user in range(30) for item in range(5, 12)]
    (folder / "user_artists.dat").write_text("\n".join(["//userID\tartistID\tweight", *plays]))
    (folder / "user_taggedartists.dat").write_text("\n".join(["userID\tartistID\ttagID\tday\tmonth\tyear", *tags]))
    data = artists(tmp_path)
    assert data.interactions.targets.sum() == len(plays)
    table = list(rows("artists", data, KINDS))
    assert len(table) == 4
    assert {row[5] for row in table} == {""}
