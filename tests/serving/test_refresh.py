"""A finished run takes up data that grew: what can be refreshed is, the rest is fitted again, blends stay."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import hybridrec
from hybridrec import ConfigError, DataError, Query
from hybridrec.cli import hybridrec as command
from hybridrec.engine.store import Store

SERVED = ("workers: 2", "refit: all")
ALS = ("noise: {use: echo}", "noise: {use: als, factors: 4}")
LEARNED = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: validated, min_queries: 5}]")
GROWN = ("data.users=80", "data.items=50")


@pytest.fixture
def run(experiment):
    return hybridrec.run(experiment(SERVED, ALS))


def how(found):
    return {one.label: one.how for one in found}


def proposed(recommender, label, query):
    batch = recommender.encode([query])
    found = recommender.components[label].component.candidates(batch, 50, "items", hybridrec.Exclude())
    return set(recommender.data.items.decode(found.ids[found.ids >= 0]))


def test_what_is_new_is_recommended(run):
    assert how(hybridrec.refresh(run, GROWN)) == {
        "ease": "fitted again",
        "noise": "refreshed",
        "pop": "fitted again",
        "tag-fallback": "fitted again",
        "popularity": "fitted again",
    }
    recommender = hybridrec.load(run)
    assert (len(recommender.data.users), len(recommender.data.items)) == (80, 50)
    query = Query(items=["item 02", "item 04"])
    assert "item 44" in proposed(recommender, "noise", query)
    slate = recommender.recommend([query, Query(user="user 71"), Query(items=["item 45"])])
    assert (slate.ids >= 0).all()


def test_what_is_not_refreshed_is_what_a_run_on_the_data_fits(run, experiment):
    hybridrec.refresh(run, GROWN)
    anew = hybridrec.run(experiment(SERVED, ALS, ("{reader: toy}", "{reader: toy, users: 80, items: 50}")))
    refreshed, fitted = (place.serving.fits for place in (run, anew))
    assert {place for place in fitted if refreshed[place] != fitted[place]} == {"everything/final/noise"}


def test_a_run_never_finds_what_was_refreshed(run, experiment):
    """What a run gives depends on its config and data alone: the refreshed fit has a key of its own."""
    hybridrec.refresh(run, GROWN)
    config = experiment(SERVED, ALS, ("{reader: toy}", "{reader: toy, users: 80, items: 50}"))
    beside, alone = (hybridrec.load(hybridrec.run(config, store=at), store=at) for at in (".hybridrec/store", "other"))
    vectors = [found.components["noise"].component.vectors("items") for found in (beside, alone)]
    assert np.array_equal(*vectors, equal_nan=True)


def test_the_same_data_leaves_everything_as_it_is(run):
    assert hybridrec.refresh(run) == []
    assert not (run.folder / "serving.json").exists()


def test_a_refreshed_run_can_be_refreshed_and_come_back(run):
    before = hybridrec.load(run).recommend(Query(user="user 07")).ids
    hybridrec.refresh(run, GROWN)
    hybridrec.refresh(run, ("data.users=85", "data.items=52"))
    assert len(hybridrec.load(run).data.items) == 52
    (run.folder / "serving.json").unlink()
    assert np.array_equal(hybridrec.load(run).recommend(Query(user="user 07")).ids, before)


def test_what_blends_learned_stays(experiment):
    run = hybridrec.run(experiment(SERVED, ALS, LEARNED))

    def weights():
        (reranker,) = hybridrec.load(run).pipeline("hybrid").rerankers["items"]
        return reranker.weights

    before, stored = weights(), len(Store.default().artifacts())
    hybridrec.refresh(run, GROWN)
    after = weights()
    assert after.keys() == before.keys()
    assert all(np.array_equal(after[segment], before[segment]) for segment in before)
    fits = {"noise", "ease", "pop", "tag-fallback", "popularity", "data"}
    assert len(Store.default().artifacts()) == stored + len(fits)  # and nothing on the base level


def test_ids_may_go(run):
    hybridrec.refresh(run, ("data.users=30", "data.items=20"))
    recommender = hybridrec.load(run)
    assert len(recommender.data.items) == 20
    assert (recommender.recommend(Query(items=["item 02"])).ids >= 0).all()


def test_only_the_data_may_be_another_one(run):
    with pytest.raises(ConfigError, match=r"components\.ease\.l2=3: only the data can be another one"):
        hybridrec.refresh(run, ("components.ease.l2=3",))


def test_an_evaluated_run_is_refused(experiment):
    with pytest.raises(DataError, match="was only evaluated"):
        hybridrec.refresh(hybridrec.run(experiment()), GROWN)


def test_the_command_says_what_became_of_each_component(run):
    done = CliRunner().invoke(command, ["refresh", str(run.folder), "--set", "data.users=80"])
    assert done.exit_code == 0, done.output
    assert "refreshed" in done.output
    assert "fitted again" in done.output
    assert json.loads((run.folder / "serving.json").read_text())["data"] == hybridrec.load(run).data.fingerprint
    again = CliRunner().invoke(command, ["refresh", str(run.folder), "--set", "data.users=80"])
    assert "nothing to do" in again.output
