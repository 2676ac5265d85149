"""Word2Vec keeps the contract, sees every token of every field once per pass, and depends on the seed alone."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.sparse import csr_matrix

from hybridrec import Exclude, Query, Ragged, Tokenizer, tokens
from hybridrec.testing import ComponentContract, encode, toy_dataset
from hybridrec_word2vec.embedding import Word2Vec
from hybridrec_word2vec.space import LONGEST_SENTENCE, Sentences, Space

pytest.importorskip("gensim")


class TestWord2Vec(ComponentContract):
    component = Word2Vec
    configs = (
        {"dim": 8},
        {"dim": 8, "fields": ["items"], "context": 2, "shuffle": False, "window": 3},
        {
            "dim": 8,
            "fields": ["user", "items", "tags", "title"],
            "score": "cosine",
            "algorithm": "skip-gram",
            "epochs": 20,
        },
        {
            "dim": 8,
            "epochs": 20,
            "algorithm": "skip-gram",
            "window": None,
            "alpha": 0.025,
            "weights": {"tags": 0.5},
            "min_count": 2,
        },
        {"dim": 8, "fields": ["items", "title", "features"], "repeat": {"features": 2}, "average": "fields"},
        {"dim": 8, "tokenizer": {"use": "char-ngrams"}},
        {"dim": 8, "similarity": "euclidean"},
    )
    learns_the_checkerboard = ("items", "tags", "title")


@pytest.mark.parametrize(("workers", "reproducible"), [(1, True), (2, False)])
def test_with_several_threads_it_says_that_fits_differ(workers, reproducible):
    assert Word2Vec(Word2Vec.Config(workers=workers)).reproducible == reproducible


FIELDS = ("user", "items", "tags", "title")


@pytest.mark.parametrize("options", [{"similarity": "cosine"}, {"similarity": "euclidean"}, {"norm_exponent": 0.5}])
def test_output_vectors_are_compared_by_any_similarity(options):
    data = toy_dataset()
    plain = Word2Vec(Word2Vec.Config(dim=8, epochs=5)).fit(data, np.random.default_rng(0))
    other = Word2Vec(Word2Vec.Config(dim=8, epochs=5, **options)).restore(plain.state())
    queries = data.queries(np.arange(6, dtype=np.int32))
    q, v = plain.query_vectors(queries, "items"), plain.vectors("items")
    length = np.linalg.norm(v, axis=1)
    expected = {
        "cosine": q @ v.T / np.linalg.norm(q, axis=1)[:, None] / length,
        "euclidean": -((q[:, None] - v) ** 2).sum(axis=2),
        "dot": q @ v.T / length**0.5,
    }[options.get("similarity", "dot")]
    scores = other.query_vectors(queries, "items") @ other.vectors("items").T
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


def test_the_score_cosine_has_no_other_similarity():
    with pytest.raises(ValidationError, match="score: cosine compares by the cosine"):
        Word2Vec.Config(score="cosine", norm_exponent=0.5)


def sentences(data, *, shuffle=True, fields=FIELDS):
    return Sentences(Space.of(data, fields, Tokenizer()), data, shuffle, np.random.default_rng(3))


def test_a_pass_holds_every_token_of_every_user():
    data = toy_dataset()
    space = Space.of(data, FIELDS, Tokenizer())
    user = 7
    wanted = [
        *(data.interactions.take(np.array([user])).ids + space.range_of("items").start),
        *(data.user_matrix("tags")[user].indices + space.range_of("tags").start),
        *(space.words.encode(data.users.text[user].split()) + space.range_of("title").start),
        space.range_of("user").start + user,
    ]
    first, second = list(sentences(data))[user], list(sentences(data))[user]
    assert first == second
    assert sorted(int(token) for token in first) == sorted(wanted)


def test_each_pass_mixes_anew_but_keeps_the_order_of_items_if_asked():
    data = toy_dataset()
    kept, mixed = sentences(data, shuffle=False), sentences(data, shuffle=True)
    items = kept._ordered.any() and Space.of(data, FIELDS, Tokenizer()).range_of("items")
    history = (data.interactions.take(np.array([3])).ids + items.start).tolist()

    def items_of(text):
        return [int(token) for token in text if items.start <= int(token) < items.stop]

    passes = [[list(each)[3] for _ in range(3)] for each in (kept, mixed)]
    assert all(items_of(text) == history for text in passes[0])
    assert any(items_of(text) != history for text in passes[1])
    assert passes[0][0] != passes[0][1]


def test_a_file_holds_a_pass(tmp_path, monkeypatch):
    monkeypatch.setattr("hybridrec_word2vec.space._SENTENCES", 7)  # several blocks
    sentences(toy_dataset()).write(tmp_path / "pass.txt")
    lines = (tmp_path / "pass.txt").read_text().splitlines()
    assert [line.split() for line in lines] == list(sentences(toy_dataset()))


def test_several_workers_learn_from_files():
    data = toy_dataset()
    config = Word2Vec.Config(dim=8, workers=2, fields=("items",))
    model = Word2Vec(config).fit(data, np.random.default_rng(0))
    assert model.losses.shape == (config.epochs,)  # which threads add up without a lock: no more can be said of them
    players = data.queries(np.arange(40, dtype=np.int32))
    ids = model.candidates(players, 5, "items", Exclude()).ids
    assert (ids % 2 == np.arange(40)[:, None] % 2).mean() > 0.8


def test_sentences_longer_than_gensim_takes_are_cut():
    data = toy_dataset(users=3, items=4, tags=0)
    rows = [np.arange(LONGEST_SENTENCE + 5) % 4, [], [1]]
    texts = sentences(replace(data, interactions=Ragged.from_rows(rows, 4)), fields=("items",))
    assert [len(text) for text in texts] == [LONGEST_SENTENCE, 5, 1]
    assert (len(texts), texts.longest) == (3, LONGEST_SENTENCE)


def test_rare_tokens_are_no_candidates():
    data = toy_dataset()
    model = Word2Vec(Word2Vec.Config(dim=4, epochs=1, min_count=18)).fit(data, np.random.default_rng(0))
    plays = np.bincount(data.interactions.ids, minlength=len(data.items))
    assert 0 < (plays < 18).sum() < len(plays)
    everybody = data.queries(np.arange(len(data.users), dtype=np.int32))
    ids = model.candidates(everybody, len(data.items), "items", Exclude()).ids
    assert not np.isin(ids, np.flatnonzero(plays < 18)).any()


def test_context_takes_the_last_items_only():
    data = toy_dataset()
    model = Word2Vec(Word2Vec.Config(dim=4, epochs=1, context=2)).fit(data, np.random.default_rng(0))
    long, short = (
        encode([Query(items=data.items.vocabulary.ids[:n].to_list()[-m:])], data) for n, m in ((6, 6), (6, 2))
    )
    np.testing.assert_array_equal(model.query_vectors(long, "items"), model.query_vectors(short, "items"))


SCRIPT = """
import numpy as np
from hybridrec.testing import toy_dataset
from hybridrec_word2vec.embedding import Word2Vec
state = Word2Vec(Word2Vec.Config(dim=4, epochs=2)).fit(toy_dataset(), np.random.default_rng(0)).state()
print({name: array.tobytes().hex() for name, array in state.items()})
"""


def test_result_does_not_depend_on_the_hash_seed():
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_words_live_in_the_space_of_queries():
    data = toy_dataset()
    model = Word2Vec(Word2Vec.Config(dim=8, epochs=2)).fit(data, np.random.default_rng(0))
    embedding = model.embeddings(data)["words"]
    words, vectors = embedding.vocabulary, embedding.vectors
    assert vectors.shape == (len(words), 8)
    query = data.queries(np.zeros(1, np.int32))
    nothing = csr_matrix((1, 12), dtype=np.float32)
    alone = replace(
        query, history=query.history.where(np.zeros(len(query.history.ids), bool)), entities={"tags": nothing}
    )
    mine = words.encode(tokens(query.text[0]))
    np.testing.assert_allclose(model.query_vectors(alone, "items")[0], vectors[mine].mean(axis=0), rtol=1e-4)
    bare = Word2Vec(Word2Vec.Config(fields=("items",), epochs=1)).fit(data, np.random.default_rng(0))
    assert list(bare.embeddings(data)) == ["items"]


def test_all_tokens_can_be_asked_for_with_the_number_of_their_users():
    data = toy_dataset()
    fields = ("user", "items", "tags", "title", "features")
    config = Word2Vec.Config(dim=8, epochs=1, fields=fields, repeat={"features": 3, "items": 2})
    model = Word2Vec(config).fit(data, np.random.default_rng(0))
    embeddings = model.embeddings(data)
    assert list(embeddings) == ["users", "items", "tags", "words", "features"]
    for kind in ("items", "tags"):
        np.testing.assert_array_equal(embeddings[kind].counts, data.user_matrix(kind).getnnz(axis=0))
        assert embeddings[kind].vocabulary is data.vocabulary(kind)
    assert embeddings["users"].counts is None
    assert embeddings["features"].vocabulary.ids.to_list() == sorted(data.items.features.names)
    has = data.interactions.matrix(binary=True) @ data.items.features.matrix
    np.testing.assert_array_equal(embeddings["features"].counts, has.getnnz(axis=0))
    query = encode([Query(tags=["tag 03"])], data)
    np.testing.assert_allclose(embeddings["tags"].vector("tag 03"), model.query_vectors(query, "items")[0], rtol=1e-5)


def test_the_loss_of_every_epoch_is_kept_and_falls():
    data = toy_dataset()
    model = Word2Vec(Word2Vec.Config(dim=8, epochs=12, algorithm="skip-gram", alpha=0.025))
    losses = model.fit(data, np.random.default_rng(0)).losses
    assert losses.shape == (12,)
    assert (losses > 0).all()
    assert losses[-3:].mean() < losses[:3].mean()
    np.testing.assert_array_equal(Word2Vec(model.config).restore(model.state()).losses, losses)


def test_the_item_of_the_most_users_is_shown_above_its_nearest():
    data = toy_dataset()
    options = Word2Vec.Config(dim=8, fields=("items",), epochs=3)
    model = Word2Vec(options).fit(data, np.random.default_rng(0))
    (figure,) = model.figures(data)
    users = data.user_matrix("items").getnnz(axis=0)
    assert figure.names[0] == data.items.names()[users.argmax()]
    assert len(figure.names) == 6
    cosines = [float(text.removeprefix("cosine ")) for text in figure.texts[1:]]
    assert cosines == sorted(cosines, reverse=True)
    vector = model.embeddings(data)["items"].vectors[users.argmax()]
    assert np.allclose(figure.vectors[0], vector / np.linalg.norm(vector))


def test_without_vectors_of_items_nothing_is_shown():
    data = toy_dataset()
    tags = Word2Vec(Word2Vec.Config(dim=8, fields=("tags",), epochs=1)).fit(data, np.random.default_rng(0))
    assert tags.figures(data) == []
    rare = Word2Vec.Config(dim=8, fields=("items",), epochs=1, min_count=10_000)
    assert Word2Vec(rare).fit(data, np.random.default_rng(0)).figures(data) == []
