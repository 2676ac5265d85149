"""A finished run recommends through the pipelines that were evaluated."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import hybridrec
from hybridrec import ConfigError, DataError, FeatureColumn, Features, Query, StoreError
from hybridrec.data.encoding import encode
from hybridrec.data.packed_texts import PackedTexts
from hybridrec.engine.store import Store
from hybridrec.registry.discovery import Registry
from hybridrec.stages.pipeline import Pipeline
from tests.serving.slates import ids

NAN = float("nan")


QUERIES = [
    Query(items=["item 02", "item 04", "item 06"]),
    Query(tags=["tag 01"]),
    Query(text="even evening"),
    Query(),
    Query(user="nobody knows"),
    Query(items=["item 01"], tags=["tag 03"], disliked=["item 03"]),
]


def test_a_batch_and_one_by_one_agree_and_no_slate_is_empty(recommender):
    batch = recommender.recommend(QUERIES)
    assert batch.ids.shape == (len(QUERIES), 10)
    assert (batch.ids >= 0).all()
    for row, query in enumerate(QUERIES):
        alone = recommender.recommend(query)
        assert alone.ids.tolist() == batch.ids[row : row + 1].tolist()
        assert alone.servers[alone.served_by[0]] == batch.servers[batch.served_by[row]]


def test_texts_stay_in_the_mapped_bundle(recommender):
    assert recommender.data.entities
    for entities in recommender.data.entities.values():
        assert isinstance(entities.text, PackedTexts)
        assert entities.text == tuple(entities.text)
        assert entities.text != (*entities.text, "one more")


def test_the_digest_is_that_of_the_bundle(recommender, experiment):
    assert len(recommender.digest) == 32
    same = hybridrec.load(hybridrec.run(experiment(("workers: 2", "refit: all"))))
    assert same.digest == recommender.digest


def test_recent_items_follow_the_history_of_the_user_or_of_the_query(recommender):
    user = recommender.data.users.vocabulary.packed[0]
    items = recommender.data.items.vocabulary
    alone = recommender.encode([Query(user=user)])
    own = items.texts(alone.history.ids)
    batch = recommender.encode(
        [
            Query(user=user, recent=["item 09"]),
            Query(user="nobody knows", recent=["item 09"]),
            Query(items=["item 03"], recent=["item 09"], recent_times=[5.0]),
            Query(user=user),
        ]
    )
    rows = [items.texts(batch.history.take(slice(row, row + 1)).ids) for row in range(4)]
    assert rows == [[*own, "item 09"], ["item 09"], ["item 03", "item 09"], own]
    assert batch.text[0] == alone.text[0]


def test_recent_items_are_as_good_as_stated_ones(recommender):
    recent = recommender.recommend(Query(user="nobody knows", recent=["item 02", "item 04"]))
    stated = recommender.recommend(Query(user="nobody knows", items=["item 02", "item 04"]))
    assert recent.ids.tolist() == stated.ids.tolist()
    np.testing.assert_array_equal(recent.scores, stated.scores)


def test_recent_times_are_as_many_as_items(recommender):
    with pytest.raises(DataError, match="recent_times has 1 values for 2 items"):
        recommender.encode([Query(recent=["item 02", "item 04"], recent_times=[1.0])])


LATER = ("compare:", "  last: {generators: [{from: pop, k: 20}], fallback: [tag-fallback, popularity]}\ncompare:")
"""One more pipeline, the control again, as the last one."""


def test_the_winner_of_the_run_answers_and_not_the_last_pipeline(experiment):
    run = hybridrec.run(experiment(("workers: 2", "refit: all"), LATER))
    recommender = hybridrec.load(run)
    means = {name: arm.metrics["ndcg@5"].mean for name, arm in run.report.pipelines.items()}
    assert max(means, key=means.__getitem__) == recommender.default == "hybrid"
    hybrid = recommender.recommend(QUERIES, pipeline="hybrid")
    np.testing.assert_array_equal(recommender.recommend(QUERIES).ids, hybrid.ids)
    assert (recommender.recommend(QUERIES, pipeline="last").ids != hybrid.ids).any()


def test_the_control_answers_where_nothing_is_better(experiment):
    swapped = (("control: {gen", "hybrid: {gen"), ("  hybrid:\n", "  control:\n"))
    run = hybridrec.run(experiment(("workers: 2", "refit: all"), *swapped))
    assert {row.verdict for row in run.report.comparison if (row.metric, row.segment) == ("ndcg@5", "all")} == {"worse"}
    assert hybridrec.load(run).default == "control"


def test_it_is_the_path_that_was_evaluated(recommender, experiment):
    """The pipelines trained on everything, asked by the code of the evaluation, give the same slates."""
    from hybridrec.config.load import load_experiment
    from hybridrec.engine.executor import ThreadExecutor
    from hybridrec.engine.fitter import Fitter
    from hybridrec.engine.runner import read
    from hybridrec.engine.train import FoldTrainer, full_fold
    from hybridrec.inference.batch_runner import BatchRunner, EvalQueries
    from hybridrec.registry.discovery import Registry

    registry, store, executor = Registry(), Store.default(), ThreadExecutor(1)
    checked = load_experiment(experiment(("workers: 2", "refit: all")), registry)
    memory = checked.config.memory
    fitter = Fitter(store, registry, executor, seed=checked.config.seed, memory=memory)
    trainer = FoldTrainer(checked, fitter, BatchRunner(store, executor, memory))
    trained_fold = trainer.prepare(trainer.plan(full_fold(read(checked))))
    assert all(fit.outcome.cached for fit in trained_fold.fits)
    batch = encode(QUERIES, recommender.data)
    truth = np.zeros((len(QUERIES), 40))
    from scipy.sparse import csr_matrix

    answers = trainer.runner.results(
        trained_fold.arms, EvalQueries(batch, "items", 10, csr_matrix(truth)), lambda _: None
    )
    for name in ("control", "hybrid"):
        served = recommender.recommend(QUERIES, pipeline=name)
        assert np.array_equal(answers[name].slate.ids, served.ids)
        np.testing.assert_allclose(answers[name].slate.scores, served.scores, rtol=1e-5)


def test_blocks_do_not_change_what_is_recommended(recommender, monkeypatch):
    whole = recommender.recommend(QUERIES * 5)
    monkeypatch.setattr("hybridrec.inference.blocks.BLOCK_ROWS", (4, 4))
    parts = recommender.recommend(QUERIES * 5)
    assert np.array_equal(parts.ids, whole.ids)
    assert np.array_equal(np.array(parts.servers)[parts.served_by], np.array(whole.servers)[whole.served_by])


def test_one_blas_thread_serves_and_the_others_are_there_again_afterwards(recommender, monkeypatch):
    def threads():
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    within = []
    slate = Pipeline.slate
    monkeypatch.setattr(Pipeline, "slate", lambda *asked: within.append(threads()) or slate(*asked))
    with threadpool_limits(limits=2):
        recommender.recommend(QUERIES[0])
        assert (within, threads()) == ([{1}], {2})


def test_a_user_alone_brings_their_history_and_what_the_query_says_stays(recommender):
    data = recommender.data
    history = list(data.items.vocabulary.decode(data.interactions.take(np.array([4])).ids))
    slate = recommender.recommend(Query(user="user 04"))
    (own,) = ids(slate)
    assert not set(own) & set(history)
    (without,) = ids(recommender.recommend(Query(user="user 04", disliked=own[:2])))
    assert not set(without) & {*history, *own[:2]}
    batch = recommender.encode([Query(), Query(user="user 04", time=5.0), Query(user="user 05", items=["item 01"])])
    assert batch.users.tolist() == [-1, 4, 5]
    assert batch.history.lengths.tolist() == [0, len(history), 1]
    assert batch.times.tolist() == pytest.approx([NAN, 5.0, NAN], nan_ok=True)


def test_a_user_alone_keeps_the_columns_of_the_request_and_stated_features(recommender):
    ages = FeatureColumn("number", np.arange(60, dtype=np.float32))
    recommender.data = recommender.data.with_entities("users", features=Features({"age": ages}))
    named = Query(user="user 04", context={"device": "tv", "budget": 3}, user_features={"age": 41})
    batch = recommender.encode([named, Query(user="user 05"), Query(items=["item 01"], context={"device": "phone"})])
    assert batch.history.lengths[0] > 1
    assert batch.context.column("device").single().tolist() == [1, -1, 0]
    assert batch.context.numbers("budget").tolist() == pytest.approx([3, NAN, NAN], nan_ok=True)
    assert batch.user_features.numbers("age").tolist() == pytest.approx([41, 5, NAN], nan_ok=True)


def test_an_unknown_user_and_an_empty_query_get_the_fallback_of_what_is_known(recommender):
    slate = recommender.recommend([Query(user="who?"), Query(), Query(user="user 59")], pipeline="control")
    assert slate.ids[0].tolist() == slate.ids[1].tolist()
    assert (slate.ids >= 0).all()
    assert recommender.recommend([]).ids.shape == (0, 10)


def test_more_than_the_catalogue_is_all_of_it_once(recommender):
    slate = recommender.recommend(Query(items=["item 02"]), n=100)
    shown = slate.ids[0][slate.ids[0] >= 0]
    assert sorted(shown) == [code for code in range(40) if code != 2]
    assert (slate.ids[0][39:] == -1).all()


def test_tags_are_recommended_too(recommender):
    slate = recommender.recommend(Query(tags=["tag 00"]), target="tags")
    assert slate.ids.shape == (1, 5)
    assert 0 not in slate.ids


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pipeline": "hybird"}, "no pipeline is named 'hybird': did you mean 'hybrid'"),
        ({"target": "users"}, "the run does not recommend users; it recommends items, tags"),
        ({"n": 0}, "n is 0; ask for at least one"),
        ({"n": -3}, "n is -3"),
        ({"n": 10**9}, "n is 1000000000; ask for at most 100,000 recommendations"),
    ],
)
def test_what_cannot_be_asked_is_told(recommender, arguments, message):
    with pytest.raises(ConfigError, match=message):
        recommender.recommend(Query(), **arguments)


def test_only_a_run_with_refit_serves(experiment, tmp_path):
    evaluated = hybridrec.run(experiment())
    with pytest.raises(DataError, match="was only evaluated: set `refit: all`"):
        hybridrec.load(evaluated)
    with pytest.raises(DataError, match=r"is not a run: it has no manifest\.json"):
        hybridrec.load(tmp_path)
    with pytest.raises(DataError, match="nowhere is not a run: it does not exist"):
        hybridrec.load("nowhere")


def serving_again(run, monkeypatch, **attributes):
    """The run, loaded where `echo` is installed with other attributes."""
    cls = Registry().get("components", "echo")
    for name, value in attributes.items():
        monkeypatch.setattr(cls, name, value)
    return hybridrec.load(run).recommend(QUERIES).ids


def test_a_component_of_another_version_is_not_given_what_an_earlier_one_stored(experiment, monkeypatch):
    run = hybridrec.run(experiment(("workers: 2", "refit: all")))
    reason = (
        r"components\.noise was written by echo 1; the installed version 2 reads 0, 2: "
        r"pip install 'toyland==1\.5', or run the experiment again"
    )
    with pytest.raises(StoreError, match=reason):
        serving_again(run, monkeypatch, version="2", reads_versions=frozenset({"0"}))


def test_a_component_that_reads_earlier_versions_serves_their_fits(experiment, monkeypatch):
    run = hybridrec.run(experiment(("workers: 2", "refit: all")))
    before = hybridrec.load(run).recommend(QUERIES).ids
    monkeypatch.setattr(Registry().get("components", "echo"), "fit", None)
    ids = serving_again(run, monkeypatch, version="2", reads_versions=frozenset({"1"}))
    assert np.array_equal(ids, before)


def test_names_are_found_in_its_data(recommender):
    assert recommender.find("item 07").name == recommender.data.items.names()[7]
    assert recommender.find("tag 03", "tags").id == "tag 03"
    with pytest.raises(DataError, match="unknown kind 'moods'"):
        recommender.find("calm", "moods")


def test_an_unknown_id_in_a_query_is_refused_or_skipped(recommender, experiment):
    sound, nothing = Query(items=["item 02", "item 04"]), Query(items=["item 02"], disliked=["nothing"])
    for unknown, told in (
        (
            Query(items=["item 02", "Item 04"]),
            r"query 1: none of 40 items has the id 'Item 04' .* nearest: .*\(item 04\)",
        ),
        (Query(tags=["tag 3"]), "query 1: none of 12 tags has the id 'tag 3'; nearest: 'tag 03'"),
        (Query(entities={"tags": ["tag 3"]}), "none of 12 tags"),
        (nothing, "none of 40 items has the id 'nothing'"),
    ):
        with pytest.raises(DataError, match=told):
            recommender.recommend([sound, unknown])
    assert recommender.recommend(Query(user="who?", items=["item 02"])).ids.shape == (1, 10)
    lenient = hybridrec.load(hybridrec.run(experiment(("workers: 2", "refit: all"))), unknown="skip")
    asked = [Query(items=["item 02", "nothing", "item 04"], tags=["tag 3"], disliked=["nothing"]), sound]
    slate = lenient.recommend(asked)
    assert (lenient.recommend(Query(items=["nobody knows"], tags=["nor this"])).ids >= 0).all()
    assert slate.ids[0].tolist() == slate.ids[1].tolist() == recommender.recommend(sound).ids[0].tolist()
