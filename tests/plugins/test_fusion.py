"""Fusion: by hand where a sum can be done by hand, and on a made pool whose best blend is known to be one."""

import io

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_matrix

import hybridrec_fusion
from hybridrec import EVERY_KIND, Features, Pool, QueryBatch, Ragged, kernels
from hybridrec.testing import toy_dataset
from hybridrec_fusion import pool_columns
from hybridrec_fusion.fixed_weights import (
    Borda,
    BordaConfig,
    CombMNZ,
    CombMNZConfig,
    ReciprocalRank,
    ReciprocalRankConfig,
    Weighted,
    WeightedConfig,
)
from hybridrec_fusion.guard import GuardedConfig
from hybridrec_fusion.item_stats import Facts
from hybridrec_fusion.normalisers import EmpiricalCDF, MinMax, Rank, Raw, Softmax, SoftmaxConfig, ZScore
from hybridrec_fusion.validated import Validated, climb
from hybridrec_fusion.validation import Validation

NAN = np.nan


def batch(tagged):
    """One query for each flag; those with a tag are in the segment "tags", the others in "nothing"."""
    tags = csr_matrix(np.array(tagged, np.float32)[:, None])
    q = len(tagged)
    return QueryBatch(np.full(q, -1, np.int32), Ragged.empty(q, 3), {"tags": tags}, ("",) * q)


def pool_of(columns, ids=None):
    values = {label: np.array(column, np.float32) for label, column in columns.items()}
    shape = next(iter(values.values())).shape
    ids = np.tile(np.arange(shape[1], dtype=np.int32), (shape[0], 1)) if ids is None else np.array(ids, np.int32)
    return Pool("items", ids, ("g",), (ids >= 0).astype(np.uint64), values)


def fused(reranker, pool, tagged=None):
    """The final scores; what every re-ranker owes is checked on the way."""
    queries = batch([False] * len(pool.ids) if tagged is None else tagged)
    before = {label: column.copy() for label, column in pool.columns.items()}
    final = reranker.rerank(queries, pool, 10).final
    for label, column in pool.columns.items():
        np.testing.assert_array_equal(column, before[label])
    assert final.dtype == np.float32
    assert (np.isnan(final) == ~pool.valid).all()
    parts = reranker.contributions(queries, pool)
    summed = np.sum(list(parts.values()), axis=0)
    np.testing.assert_allclose(summed[pool.valid], final[pool.valid], rtol=1e-5, atol=1e-6)
    assert {contribution.dtype for contribution in parts.values()} == {np.dtype(np.float32)}
    return final


def weighted(pool, tagged=None, **options):
    return fused(Weighted(WeightedConfig(**options)), pool, tagged)


def test_what_the_package_offers():
    components = hybridrec_fusion.hybridrec_components()
    assert [component.name for component in components] == [
        "weighted",
        "combmnz",
        "borda",
        "rrf",
        "validated",
        "greedy",
        "linear",
        "lambdamart",
    ]
    assert all(component.targets == (EVERY_KIND,) for component in components)


SCALES = [scale.name for scale in hybridrec_fusion.hybridrec_normalisers()]
PAIR = pool_of({"a": [[1, 2, 3, NAN]], "b": [[30, NAN, 10, 50]]})


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"normalise": "none"}, [31, 12, 13, 51]),  # a: 1 2 3 1; b: 30 10 10 50
        ({"normalise": "none", "missing": "mean"}, [31, 32, 13, 52]),  # a: 1 2 3 2; b: 30 30 10 50
        ({"normalise": "min-max"}, [0.5, 0.5, 1, 1]),  # a: 0 .5 1 0; b: .5 0 0 1
        ({"normalise": "min-max", "missing": "mean"}, [0.5, 1, 1, 1.5]),  # a: 0 .5 1 .5; b: .5 .5 0 1
        ({"normalise": "rank"}, [1, 1, 4 / 3, 4 / 3]),  # a: 1/3 2/3 1 1/3; b: 2/3 1/3 1/3 1
        ({"normalise": "zscore"}, np.sqrt(1.5) * np.array([-1, -1, 0, 0])),  # a: -z 0 z -z; b: 0 -z -z z
        ({"normalise": "ecdf"}, [1, 1, 4 / 3, 4 / 3]),
        ({"normalise": "none", "weights": {"a": 2, "b": 0.5}}, [17, 9, 11, 27]),
        ({"normalise": "none", "weights": {"a": 1}}, [1, 2, 3, 1]),  # not named: weight 0
        ({"normalise": "none", "weights": {"a": -1, "b": 0}}, [-1, -2, -3, -1]),
    ],
)
def test_weighted_as_by_hand(options, wanted):
    np.testing.assert_allclose(weighted(PAIR, **options)[0], wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("normalise", SCALES)
@pytest.mark.parametrize("missing", ["lowest", "mean"])
def test_no_opinion_never_becomes_the_value_of_another_model(normalise, missing):
    """The filled value of the first model stays within its own, whatever the scale of the other."""
    options = {"normalise": normalise, "missing": missing, "weights": {"a": 1, "b": 0}}
    small = weighted(PAIR, **options)
    large = weighted(pool_of({"a": PAIR.columns["a"], "b": PAIR.columns["b"] * 1e6}), **options)
    np.testing.assert_array_equal(small, large)
    assert small[0, :3].min() - 1e-6 <= small[0, 3] <= small[0, :3].max()
    if missing == "lowest":
        assert small[0, 3] == small[0, :3].min()


@pytest.mark.parametrize("normalise", SCALES)
@pytest.mark.parametrize("missing", ["lowest", "mean"])
def test_a_row_without_an_opinion_is_not_moved(normalise, missing):
    options = {"normalise": normalise, "missing": missing}
    both = pool_of({"a": [[1, 2, 4], [1, 2, 4]], "b": [[NAN] * 3, [3, 2, 1]]})
    alone = weighted(pool_of({"a": [[1, 2, 4]] * 2}), **options)
    np.testing.assert_array_equal(weighted(both, **options)[0], alone[0])
    assert (weighted(both, **options)[1] != alone[1]).any()


def test_padding_and_empty_pools():
    padded = pool_of({"a": [[1, 2, NAN], [NAN] * 3]}, ids=[[4, 6, -1], [-1] * 3])
    empty = pool_of({"a": np.empty((2, 0)), "b": np.empty((2, 0))})
    nobody = pool_of({"a": np.empty((0, 3))})
    learned = Validated().restore(
        {
            "labels": np.array(["a"]),
            "segments": np.array(["all"]),
            "weights": np.ones((1, 1)),
            "singles": np.array([0]),
            "values": np.array([[0.5, 0.4]]),
        }
    )
    for reranker in (Weighted(), CombMNZ(), Borda(), ReciprocalRank(), learned):
        final = fused(reranker, padded)
        assert final[0, 1] > final[0, 0]
        assert fused(reranker, empty).shape == (2, 0)
        assert fused(reranker, nobody).shape == (0, 3)


def test_a_sum_in_parts_is_the_sum(monkeypatch):
    rng = np.random.default_rng(0)
    pool = pool_of({label: rng.normal(size=(40, 6)) for label in "abc"})
    options = {"weights": {"a": 1, "b": 0.3, "c": -2}}
    apart = {**options, "segments": {"tags": {"c": 0.5}}}
    whole = [weighted(pool, **options), weighted(pool, np.arange(40) % 3 == 0, **apart)]
    monkeypatch.setattr("hybridrec_fusion.pool_columns._CACHED", 18)  # three rows at a time
    np.testing.assert_array_equal(weighted(pool, **options), whole[0])
    np.testing.assert_array_equal(weighted(pool, np.arange(40) % 3 == 0, **apart), whole[1])
    np.testing.assert_array_equal(whole[0][1:3], whole[1][1:3])


def test_segments_have_weights_of_their_own():
    pool = pool_of({"a": [[1, 2]] * 2, "b": [[5, 3]] * 2})
    options = {"normalise": "none", "weights": {"a": 1}, "segments": {"tags": {"b": 2}}}
    assert weighted(pool, [False, True], **options).tolist() == [[1, 2], [10, 6]]


def test_reciprocal_ranks_as_by_hand():
    def of(**options):
        return fused(ReciprocalRank(ReciprocalRankConfig(**options)), PAIR)[0]

    a, b = np.array([1 / 63, 1 / 62, 1 / 61, 0]), np.array([1 / 62, 0, 1 / 63, 1 / 61])
    np.testing.assert_allclose(of(), a + b, rtol=1e-6)
    np.testing.assert_allclose(of(weights={"b": 3}), 3 * b, rtol=1e-6)
    np.testing.assert_allclose(of(offset=1, weights={"a": 1}), [1 / 4, 1 / 3, 1 / 2, 0], rtol=1e-6)


def test_combmnz_counts_who_proposed_as_by_hand():
    """Candidates 0 and 2 were proposed by both, 1 by g alone, 3 by h alone."""
    pool = Pool("items", PAIR.ids, ("g", "h"), np.array([[3, 1, 3, 2]], np.uint64), PAIR.columns)
    np.testing.assert_allclose(fused(CombMNZ(), pool)[0], [1, 0.5, 2, 1], rtol=1e-6)  # a: 0 .5 1 0; b: .5 0 0 1
    half = CombMNZ(CombMNZConfig(weights={"b": 0.5}))
    np.testing.assert_allclose(fused(half, pool)[0], [0.5, 0, 0, 0.5], rtol=1e-6)


def test_borda_as_by_hand():
    """The unranked gets the one point that is left: of four candidates a ranks 3 2 1 -, b ranks 2 - 3 1."""
    np.testing.assert_allclose(fused(Borda(), PAIR)[0] * 4, [2 + 3, 3 + 1, 4 + 2, 1 + 4], rtol=1e-6)
    np.testing.assert_allclose(fused(Borda(BordaConfig(weights={"b": 2})), PAIR)[0] * 4, [6, 2, 4, 8], rtol=1e-6)
    two = pool_of({"a": [[7, NAN, NAN, NAN]]}, [[1, 2, 3, -1]])  # 3 candidates: 3 points, then (2 + 1) / 2 each
    np.testing.assert_allclose(fused(Borda(), two)[0, :3] * 3, [3, 1.5, 1.5], rtol=1e-6)


def test_ties_are_ties_in_the_empirical_distribution():
    values = np.array([[2, 1, 2, NAN, 0], [5, 5, 5, 5, NAN], [NAN] * 5], np.float32)
    wanted = [[1, 0.5, 1, NAN, 0.25], [1, 1, 1, 1, NAN], [NAN] * 5]
    np.testing.assert_array_equal(EmpiricalCDF().scale(values), np.array(wanted, np.float32))


def test_softmax_is_a_distribution_and_temperature_its_sharpness():
    values = np.array([[1, 2, 3, NAN], [4, 4, NAN, NAN], [NAN] * 4], np.float32)
    scaled = Softmax().scale(values)
    odds = np.exp(np.sqrt(1.5) * np.array([-1, 0, 1]))
    np.testing.assert_allclose(scaled[0, :3], odds / odds.sum(), rtol=1e-5)
    np.testing.assert_allclose(scaled[1, :2], 0.5)
    assert (np.isnan(scaled) == np.isnan(values)).all()
    np.testing.assert_allclose(scaled, Softmax().scale(100 * values + 7), rtol=1e-5)
    assert Softmax(SoftmaxConfig(temperature=0.2)).scale(values)[0, 2] > 0.95


def test_a_normaliser_is_named_with_its_options_and_says_them_again():
    for given in ("softmax", {"use": "softmax"}, {"use": "softmax", "temperature": 0.5}, Softmax()):
        options = WeightedConfig(normalise=given)
        assert isinstance(options.normalise, Softmax)
        assert WeightedConfig(**options.model_dump(mode="json")).model_dump() == options.model_dump()
    assert options.model_dump()["normalise"] == {"use": "softmax", "temperature": 1.0}
    assert WeightedConfig().model_dump()["normalise"] == "zscore"
    for wrong, message in (
        ("softmx", "did you mean 'softmax'"),
        ({"use": "softmax", "temperature": 0}, "softmax.temperature: Input should be greater than 0"),
        ({"temperature": 1}, "instance of Normaliser"),
        (3, "instance of Normaliser"),
    ):
        with pytest.raises(ValidationError, match=message):
            WeightedConfig(normalise=wrong)


@pytest.mark.parametrize(
    "wrong",
    [(SoftmaxConfig, {"temperature": 0}), (ReciprocalRankConfig, {"offset": 0}), (GuardedConfig, {"k": 0})],
)
def test_options_out_of_range_are_refused(wrong):
    config, options = wrong
    with pytest.raises(ValidationError):
        config(**options)


# A made pool: `signal` and `complement` each know half of what makes an item relevant, `noise` nothing.
Q, K, N = 240, 60, 300
TAGGED = np.arange(Q) % 3 == 0


def made(seed=0):
    rng = np.random.default_rng(seed)
    ids = np.sort(np.argsort(rng.random((Q, N)), axis=1)[:, :K], axis=1).astype(np.int32)
    left, right, noise = rng.standard_normal((3, Q, K)).astype(np.float32)
    right[TAGGED] *= 0.1  # of queries with tags, `complement` knows little
    worth = left + right + 0.3 * rng.standard_normal((Q, K))
    relevant = worth >= np.sort(worth, axis=1)[:, -5, None]
    columns = {"noise": noise, "signal": left, "complement": 100 * rng.normal(right, 0.5).astype(np.float32)}
    columns["signal"][rng.random((Q, K)) < 0.2] = NAN
    rows, places = np.nonzero(relevant)
    truth = csr_matrix((np.ones(len(rows), np.float32), (rows, ids[rows, places])), shape=(Q, N))
    return pool_of(columns, ids), truth


POOL, TRUTH = made()
WEIGHTS = np.random.default_rng(1).uniform(0.5, 2, Q)


def learned(pool=POOL, truth=TRUTH, weights=WEIGHTS, tagged=TAGGED, units=None, **options):
    units = np.arange(len(tagged), dtype=np.int32) if units is None else units
    return Validated(GuardedConfig(**options)).fit_on_predictions(batch(tagged), pool, truth, weights, units)


def weights_of(reranker):
    return reranker.weights


def value(final, truth=TRUTH, rows=slice(None), pool=POOL, k=20):
    """Weighted mean nDCG of a final score, as the slate would have it."""
    final = np.where(pool.valid, final, -np.inf).astype(np.float32)
    gains = kernels.ndcg(final, kernels.hits(pool.ids, truth), np.diff(truth.indptr), k)
    return np.average(gains[rows], weights=WEIGHTS[rows])


@pytest.mark.parametrize("options", [{}, {"k": 3}, {"normalise": "rank", "missing": "mean"}, {"min_queries": 1}])
def test_the_blend_beats_every_column_and_is_worse_in_no_segment(options):
    blend = fused(learned(**options), POOL, TAGGED)
    scaling = {key: given for key, given in options.items() if key in ("normalise", "missing")}
    singles = {label: weighted(POOL, weights={label: 1}, **scaling) for label in POOL.columns}
    k = options.get("k", 20)
    best = max(value(final, k=k) for final in singles.values())
    assert value(blend, k=k) > best + 0.02
    for rows in (TAGGED, ~TAGGED):
        assert value(blend, rows=rows, k=k) >= max(value(final, rows=rows, k=k) for final in singles.values()) - 1e-9


def test_the_weights_are_in_scale_and_shut_the_noise_out():
    reranker = learned()
    assert set(weights_of(reranker)) == {"all", "tags", "nothing"}
    for weights in weights_of(reranker).values():
        assert weights.dtype == np.float64
        assert weights.min() >= 0
        assert weights.max() == 1
    everywhere = dict(zip(reranker.labels, weights_of(reranker)["all"], strict=True))
    assert everywhere["noise"] <= 0.1
    assert everywhere["signal"] > 0.2
    assert everywhere["complement"] > 0.2
    summary = reranker.summary()
    assert (
        summary["tags"]["weights"]["complement"] < summary["nothing"]["weights"]["complement"]
    )  # relative to `signal`


def test_a_segment_with_too_few_queries_shares_the_weights_of_all():
    count = int(TAGGED.sum())
    assert set(weights_of(learned(min_queries=count))) == {"all", "tags", "nothing"}
    assert set(weights_of(learned(min_queries=count + 1))) == {"all", "nothing"}
    assert set(weights_of(learned(min_queries=Q))) == {"all"}


def test_learning_twice_is_learning_once_and_does_not_depend_on_the_order_of_queries():
    first, again = learned(), learned()
    order = np.random.default_rng(2).permutation(Q)
    columns = {label: column[order] for label, column in POOL.columns.items()}
    turned = learned(pool_of(columns, POOL.ids[order]), TRUTH[order], WEIGHTS[order], TAGGED[order], order)
    for segment, weights in weights_of(first).items():
        np.testing.assert_array_equal(weights, weights_of(again)[segment])
        np.testing.assert_array_equal(weights, weights_of(turned)[segment])


def test_state_survives_a_file():
    before, file = learned(), io.BytesIO()
    np.savez(file, allow_pickle=False, **before.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        after = Validated(before.config).restore(dict(arrays))
    np.testing.assert_array_equal(fused(after, POOL, TAGGED), fused(before, POOL, TAGGED))
    assert after.summary() == before.summary()


def test_nothing_found_still_gives_weights():
    elsewhere = csr_matrix((np.ones(Q, np.float32), (np.arange(Q), np.full(Q, N))), shape=(Q, N + 1))
    reranker = learned(truth=elsewhere)
    assert all(weights.max() == 1 for weights in weights_of(reranker).values())
    fused(reranker, POOL, TAGGED)


@pytest.mark.parametrize(
    ("truth", "weights"),
    [(csr_matrix((Q, N), dtype=np.float32), WEIGHTS), (TRUTH, np.zeros(Q))],
    ids=["truth", "weight"],
)
def test_nothing_to_learn_from_weighs_all_alike(truth, weights):
    reranker = learned(truth=truth, weights=weights)
    assert {segment: chosen.tolist() for segment, chosen in weights_of(reranker).items()} == {"all": [1, 1, 1]}


@pytest.mark.parametrize("columns", [1, 3])
def test_columns_worse_than_none_still_give_an_order(columns):
    """Were all weights to fall to 0, ids alone would order: better here, but not what was asked for."""
    ids = np.tile(np.arange(10, dtype=np.int32), (8, 1))
    truth = csr_matrix(ids == 0, dtype=np.float32)
    pool = pool_of({str(label): ids.astype(float) for label in range(columns)}, ids)
    reranker = learned(pool, truth, np.ones(8), [False] * 8, k=1)
    assert weights_of(reranker)["all"].max() == 1


def test_queries_without_truth_or_weight_do_not_count():
    """They neither lower the mean nor make a segment large enough."""
    half = np.arange(Q) < Q // 2
    rows = np.flatnonzero(half)
    alone = learned(
        pool_of({label: column[rows] for label, column in POOL.columns.items()}, POOL.ids[rows]),
        TRUTH[rows],
        WEIGHTS[rows],
        TAGGED[rows],
    )
    unjudged = csr_matrix(TRUTH.multiply(half[:, None]))
    unjudged.eliminate_zeros()
    for beside in (learned(truth=unjudged), learned(weights=WEIGHTS * half)):
        assert set(weights_of(beside)) == set(weights_of(alone))
        for segment, weights in weights_of(alone).items():
            np.testing.assert_array_equal(weights, weights_of(beside)[segment])


def chance(columns, seed=3):
    """Columns that know nothing of what is relevant."""
    rng = np.random.default_rng(seed)
    pool = pool_of({str(label): rng.standard_normal((Q, K)) for label in range(columns)}, POOL.ids)
    return pool, rng


def test_what_judges_the_blend_was_not_learned_on():
    """On noise the search gains where it looks, and next to nothing where it does not."""
    gains = []
    for seed in range(4):
        pool, rng = chance(12, seed)
        truth = csr_matrix(rng.random((Q, N)) < 0.05, dtype=np.float32)
        verdict = learned(pool, truth, np.ones(Q), [False] * Q).verdicts["all"]
        columns, wanted = np.stack(list(pool.columns.values())), np.diff(truth.indptr)
        relevant, same = kernels.hits(pool.ids, truth), np.zeros(Q, int)
        judge = Validation(columns, pool.valid, relevant, wanted, np.ones(Q), same.astype(str), same, 20)
        by_chance = np.mean([judge.value(rng.random(12)) for _ in range(20)])
        gains.append([judge.value(climb(judge, [])) - by_chance, verdict.blend_value - by_chance])
    in_sample, out_of_sample = np.mean(gains, axis=0)
    assert in_sample > 0.008
    assert out_of_sample < 0.4 * in_sample


def test_queries_of_one_user_are_not_on_both_sides():
    """Every user asks twice; if the second query could judge what the first taught, noise would look like a signal."""
    pool, rng = chance(columns=8)
    first = np.repeat(np.arange(0, Q, 2), 2)
    twice = pool_of({label: column[first] for label, column in pool.columns.items()}, pool.ids[first])
    truth = csr_matrix(rng.random((Q, N)) < 0.05, dtype=np.float32)[first]
    options = {"min_queries": Q + 1}
    apart = learned(twice, truth, np.ones(Q), [False] * Q, first, **options).verdicts["all"]
    mixed = learned(twice, truth, np.ones(Q), [False] * Q, rng.permutation(Q), **options).verdicts["all"]
    assert mixed.blend_value > apart.blend_value + 0.002


def test_a_blend_that_is_not_better_out_of_sample_gives_way_to_its_best_part():
    """For the queries with tags `complement` alone is all there is to know."""
    columns = {label: column.copy() for label, column in POOL.columns.items()}
    columns["complement"][TAGGED] = kernels.hits(POOL.ids, TRUTH)[TAGGED]
    reranker = learned(pool_of(columns, POOL.ids))
    assert {segment: verdict.guarded for segment, verdict in reranker.verdicts.items()} == {
        "all": False,
        "nothing": False,
        "tags": True,
    }
    (note,) = reranker.notes()
    assert note.startswith("in segment 'tags' the blend was no better than 'complement'")
    summary = reranker.summary()["tags"]
    assert summary["weights"] == {"noise": 0, "signal": 0, "complement": 1}
    assert (summary["best_single"], summary["guarded"]) == ("complement", True)
    assert summary["validation_ndcg@20"] == {"blend": 1.0, "best_single": 1.0}


def test_one_user_alone_cannot_judge():
    reranker = learned(units=np.zeros(Q, np.int32))
    assert not any(verdict.guarded for verdict in reranker.verdicts.values())
    assert reranker.summary()["all"]["validation_ndcg@20"] == {"blend": None, "best_single": None}


def test_a_query_on_which_only_unweighed_models_speak_keeps_their_order():
    nan = np.full((1, 3), np.nan, np.float32)
    pool = pool_of({"a": nan, "b": np.array([[1.0, 3.0, 2.0]], np.float32)}, np.array([[0, 1, 2]], np.int32))
    fused = Weighted(WeightedConfig(weights={"a": 1.0})).rerank(batch([False]), pool, 3)
    assert fused.final is not None
    assert np.argsort(-fused.final[0]).tolist() == [1, 2, 0]


def test_facts_leave_a_feature_that_all_items_have_as_it_is():
    described = np.array([[100, 1], [7, 0], [1, 0]], np.float32)
    data = toy_dataset(6, 3, 2).with_entities(
        "items", features=Features.of_labels(("price", "rare"), csr_matrix(described))
    )
    Facts.of(data, "items")
    assert (data.items.features.matrix.toarray() == described).all()


@pytest.mark.parametrize("missing", ["lowest", "mean"])
@pytest.mark.parametrize("scale", [ZScore, MinMax, Rank, EmpiricalCDF, Softmax, Raw])
def test_columns_are_scaled_together_as_alone(scale, missing, monkeypatch):
    """Bit for bit: the rows of all columns go through a normaliser as one array, in blocks."""
    rng = np.random.default_rng(0)
    columns = {}
    for label in "abcd":
        values = rng.lognormal(0, 3, (7, 33)).astype(np.float32)
        values[rng.random(values.shape) < 0.4] = np.nan
        values[3] = np.nan
        columns[label] = values
    alone = {label: pool_columns._scaled(scale(), {label: values}, missing)[label] for label, values in columns.items()}
    for cached in (1, 300, 1 << 15):  # a row of all columns at a time, some, all
        monkeypatch.setattr(pool_columns, "_CACHED", cached)
        together = pool_columns._scaled(scale(), columns, missing)
        assert all(together[label].tobytes() == values.tobytes() for label, values in alone.items())


def test_an_empty_pool_has_empty_columns():
    columns = {label: np.empty((3, 0), np.float32) for label in "ab"}
    assert {label: values.shape for label, values in pool_columns._scaled(ZScore(), columns, "lowest").items()} == {
        "a": (3, 0),
        "b": (3, 0),
    }
