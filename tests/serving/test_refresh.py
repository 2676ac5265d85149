"""A finished run takes up data that grew: what can be refreshed is, the rest is fitted again, blends stay."""

import subprocess

import numpy as np
import pytest

import hybridrec
from hybridrec import ConfigError, DataError, Query
from hybridrec.engine.store import Store
from hybridrec.paths import partial_path
from hybridrec.runs.bundle import BUNDLE, read_bundle
from hybridrec.runs.manifest import MANIFEST

SERVED = ("workers: 2", "refit: all")
ALS = ("noise: {use: echo}", "noise: {use: als, factors: 4}")
LEARNED = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: validated, min_queries: 5}]")
GROWN = ("data.users=80", "data.items=50")


@pytest.fixture
def run(experiment):
    return hybridrec.run(experiment(SERVED, ALS))


def how(refreshed):
    return {component.label: component.how for component in refreshed}


def proposed(recommender, label, query):
    batch = recommender.encode([query])
    candidates = recommender.components[label].candidates(batch, 50, "items", hybridrec.Exclude())
    return set(recommender.data.items.vocabulary.decode(candidates.ids[candidates.ids >= 0]))


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


def states(run):
    servable = read_bundle(run.folder / BUNDLE)
    return {label: component.state() for label, component in servable.components.items()}


def test_what_is_not_refreshed_is_what_a_run_on_the_data_fits(run, experiment):
    hybridrec.refresh(run, GROWN)
    anew = hybridrec.run(experiment(SERVED, ALS, ("{reader: toy}", "{reader: toy, users: 80, items: 50}")))
    refreshed, fitted = states(run), states(anew)
    differing = {
        label
        for label, state in fitted.items()
        if any(
            not np.array_equal(array, refreshed[label][name], equal_nan=array.dtype.kind == "f")
            for name, array in state.items()
        )
    }
    assert differing == {"noise"}
    assert hybridrec.refresh(anew, ("data.users=80", "data.items=50")) == []


def test_a_run_never_finds_what_was_refreshed(run, experiment):
    """A run depends on its config and data alone: nothing that was refreshed is in the store."""
    hybridrec.refresh(run, GROWN)
    config = experiment(SERVED, ALS, ("{reader: toy}", "{reader: toy, users: 80, items: 50}"))
    beside, alone = (hybridrec.load(hybridrec.run(config, store=at)) for at in (".hybridrec/store", "other"))
    vectors = [recommender.components["noise"].vectors("items") for recommender in (beside, alone)]
    assert np.array_equal(*vectors, equal_nan=True)


def test_the_same_data_leaves_everything_as_it_is(run):
    before = (run.folder / BUNDLE).read_bytes()
    assert hybridrec.refresh(run) == []
    assert (run.folder / BUNDLE).read_bytes() == before


def test_what_a_killed_refresh_left_goes_even_if_the_data_are_the_same(run):
    with subprocess.Popen(["true"]) as ended:
        pass
    machine = partial_path(run.folder / MANIFEST).name.split(".")[-2].partition("-")[0]
    left = run.folder / f".{MANIFEST}.{machine}-{ended.pid}.00000dea"
    left.touch()
    assert hybridrec.refresh(run) == []
    assert not left.exists()


def test_a_refreshed_run_can_be_refreshed_and_its_bundle_is_as_good_as_a_new_one(run):
    hybridrec.refresh(run, GROWN)
    hybridrec.refresh(run, ("data.users=85", "data.items=52"))
    recommender = hybridrec.load(run)
    assert len(recommender.data.items) == 52
    copied = hybridrec.load(run.bundle("copy.hybridrec"))
    assert np.array_equal(copied.recommend(Query(user="user 82")).ids, recommender.recommend(Query(user="user 82")).ids)


def test_what_blends_learned_stays_and_what_re_rankers_count_does_not(experiment):
    chain = LEARNED[1].replace("}]", "}, {use: popularity-correction}]")
    run = hybridrec.run(experiment(SERVED, ALS, (LEARNED[0], chain)))

    def chain_of():
        return hybridrec.load(run).pipeline("hybrid").rerankers["items"]

    before, stored = chain_of(), len(Store.default().artifacts())
    hybridrec.refresh(run, GROWN)
    after = chain_of()
    assert all(np.array_equal(array, after[0].state()[name]) for name, array in before[0].state().items())
    assert [len(chain[1].state()["popularity"]) for chain in (before, after)] == [40, 50]
    fitted_again = {"ease", "pop", "tag-fallback", "popularity"}
    assert len(Store.default().artifacts()) == stored + len(fitted_again)  # and nothing on the base level


def test_ids_may_go(run):
    hybridrec.refresh(run, ("data.users=30", "data.items=20"))
    recommender = hybridrec.load(run)
    assert len(recommender.data.items) == 20
    assert (recommender.recommend(Query(items=["item 02"])).ids >= 0).all()


def test_only_the_data_may_be_another_one(run):
    with pytest.raises(ConfigError, match=r"components\.ease\.l2=3: only the data can be changed"):
        hybridrec.refresh(run, ("components.ease.l2=3",))


def test_an_evaluated_run_is_refused(experiment):
    with pytest.raises(DataError, match="was only evaluated"):
        hybridrec.refresh(hybridrec.run(experiment()), GROWN)
