"""Neighbours in the space of a component: nearest first, of any kind, with counts, without what was asked."""

import numpy as np
import pytest

import hybridrec
from hybridrec import ConfigError, DataError, Query
from hybridrec.runs.bundle import copy_bundle
from hybridrec.serving.recommender import load
from hybridrec.serving.similar import FEATURES, WORDS
from tests.conftest import CONFIG, TOYLAND

COMPONENTS = """
  w2v: {use: word2vec, fields: [items, tags, title, user, features], repeat: {user: 3}, dim: 8, epochs: 20}
  votes: {use: word2vec-voting, uses: w2v}
  near: {use: word2vec-mean, uses: w2v, score: cosine}
  als: {factors: 8}
  draw: {use: cluster-draw, uses: w2v, clusters: 2}"""


@pytest.fixture(scope="module")
def spaces(tmp_path_factory):
    """A run with a space of all fields, vectors of another kind, and a draw, ready to be asked."""
    for library in ("gensim", "implicit"):
        pytest.importorskip(library)
    place = tmp_path_factory.mktemp("spaces")
    text = CONFIG.replace("noise: {use: echo}", f"noise: {{use: echo}}{COMPONENTS}").replace("workers: 2", "refit: all")
    text = text.replace("scorers: [pop]", "scorers: [pop, w2v, votes, near, als, draw]")
    (place / "toy.yaml").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOYLAND))
        yield load(hybridrec.run(place / "toy.yaml", runs=place / "runs", store=place / "store"))


def colours(near):
    return np.array([int(neighbour.id[-2:]) % 2 for neighbour in near])


def test_neighbours_of_a_model_without_vectors_are_by_its_own_scores(recommender):
    near = recommender.similar("ease", "item 02", n=5)
    assert len(near) == 5
    assert "item 02" not in [neighbour.id for neighbour in near]
    assert all(int(neighbour.id[-2:]) % 2 == 0 for neighbour in near[:3])
    scores = [neighbour.similarity for neighbour in near]
    assert scores == sorted(scores, reverse=True)
    with pytest.raises(ConfigError, match="no component is labelled 'eas': did you mean 'ease'"):
        recommender.similar("eas", "item 02")
    with pytest.raises(ConfigError, match="proposes no tags"):
        recommender.similar("ease", "item 02", target="tags")
    with pytest.raises(ConfigError, match=r"'ease' \(ease\) has no vectors of words"):
        recommender.similar("ease", "even", by="text", target="words")
    with pytest.raises(ConfigError, match=r"'ease' \(ease\) has no vectors of users"):
        recommender.similar("ease", "item 02", target="users")


def test_every_kind_of_a_space_is_near_every_other(spaces):
    """Neighbours are of the colour that was asked for, whatever the two kinds are."""
    asked = {"items": "item 02", "tags": "tag 02", "users": "user 02", "words": "even", "features": "even"}
    kinds = spaces.embeddings("w2v")
    assert set(kinds) == {"items", "tags", "users", WORDS, FEATURES}
    for by, name in asked.items():
        for target in ("items", "tags", "users"):
            near = spaces.similar("w2v", name, by=by, target=target, n=4)
            assert name not in [neighbour.id for neighbour in near]
            assert (colours(near) == 0).mean() >= 0.75, (by, target)
            assert all(-1.001 <= neighbour.similarity <= 1.001 for neighbour in near)
    assert "even" not in {neighbour.id for neighbour in spaces.similar("w2v", "even", by="text", target="words")}


def test_similarity_is_the_cosine_of_the_learned_vectors(spaces):
    vectors = spaces.embeddings("w2v")
    asked, other = (kind.vector(name) for kind, name in ((vectors["users"], "user 03"), (vectors["features"], "odd")))
    cosine = asked @ other / np.linalg.norm(asked) / np.linalg.norm(other)
    near = spaces.similar("w2v", "user 03", by="users", target="features")
    assert next(each.similarity for each in near if each.id == "odd") == pytest.approx(cosine, abs=1e-6)
    assert spaces.similar("near", "user 03", by="users", target="features") == near


def test_users_without_vectors_of_their_own_are_what_they_know(spaces):
    """A factorization learns items; users come from their histories, in the space of the items."""
    assert "users" not in spaces.embeddings("als")
    near = spaces.similar("als", "user 04", by="users", target="users", n=5)
    assert (colours(near) == 0).all()
    batch = spaces.data.queries(np.array([4, int(near[0].id[-2:])], np.int32))
    asked, other = spaces.components["als"].query_vectors(batch, "items")
    cosine = asked @ other / np.linalg.norm(asked) / np.linalg.norm(other)
    assert near[0].similarity == pytest.approx(cosine, abs=1e-5)


def test_neighbours_say_how_many_have_them_and_their_place_by_that(spaces):
    plays = np.bincount(spaces.data.interactions.matrix().indices, minlength=40)
    for label in ("w2v", "als", "votes"):
        near = spaces.similar(label, "item 02", n=30)
        counts = np.array([neighbour.count for neighbour in near])
        assert counts.tolist() == [plays[int(neighbour.id[-2:])] for neighbour in near], label
        for neighbour in near:
            more, as_many = (plays > neighbour.count).sum(), (plays == neighbour.count).sum()
            assert more < neighbour.position <= more + as_many
    (word,) = [near for near in spaces.similar("w2v", "odd", by="words", target="words") if near.id == "evening"]
    assert (word.count, word.position) == (sum("evening" in text for text in spaces.data.users.text), 1)
    users = spaces.similar("w2v", "user 03", by="users", target="users", n=3)
    lengths = np.diff(spaces.data.interactions.matrix().indptr)
    assert [near.count for near in users] == [lengths[int(near.id[-2:])] for near in users]


def test_a_query_asks_too_and_leaves_out_what_it_names(spaces):
    query = Query(items=["item 02", "item 04"], tags=["tag 02"])
    for label in ("w2v", "votes"):
        near = spaces.similar(label, query, n=40)
        assert not {"item 02", "item 04"} & {neighbour.id for neighbour in near}
    assert "tag 02" not in {neighbour.id for neighbour in spaces.similar("w2v", query, target="tags")}


def test_draws_are_not_called_similar(spaces):
    with pytest.raises(ConfigError, match=r"'draw' \(cluster-draw\) draws its scores at random: they tell nothing"):
        spaces.similar("draw", "item 02")


def test_what_is_not_there_is_refused_with_what_is(spaces):
    with pytest.raises(ConfigError, match=r"'als' \(als\) has no vectors of words; it has some of items"):
        spaces.similar("als", "item 02", target="words")
    with pytest.raises(ConfigError, match=r"'als' \(als\) has no vectors of features"):
        spaces.similar("als", "even", by="features")
    with pytest.raises(DataError, match="unknown kind 'item': did you mean 'items'"):
        spaces.similar("w2v", "item 02", by="item")
    with pytest.raises(DataError, match="unknown items 'nobody'"):
        spaces.similar("w2v", "nobody")
    with pytest.raises(DataError, match="unknown words 'nothing'"):
        spaces.similar("w2v", "nothing", by="words")
    with pytest.raises(ConfigError, match=r"'votes' \(word2vec-voting\) has no vectors of features"):
        spaces.similar("votes", "even", by="features")
    assert spaces.similar("w2v", "user 99", by="users") == []


def test_a_bundle_without_users_knows_the_counts_of_training_alone(spaces, tmp_path):
    folder = next((tmp_path.parent).glob("spaces*/runs/*"))
    bare = load(copy_bundle(folder, tmp_path / "bare.hybridrec", users=False))
    assert set(bare.embeddings("w2v")) == {"items", "tags", "words", "features"}
    near = bare.similar("w2v", "item 02", n=3)
    assert near == spaces.similar("w2v", "item 02", n=3)
    assert [(near.count, near.position) for near in bare.similar("als", "item 02", n=1)] == [(None, None)]
    with pytest.raises(ConfigError, match="has no vectors of users"):
        bare.similar("w2v", "item 02", target="users")
    with pytest.raises(DataError, match="was written without users"):
        bare.similar("w2v", "user 03", by="users")
