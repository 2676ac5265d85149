"""Audio and tags in one space: the contract, and that each half is told from the other."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import DataError, Ragged
from hybridrec.testing import ComponentContract, parity_queries, toy_dataset
from hybridrec_autoencoder.audio_tags import LENGTH, AudioTagAutoencoder, AudioTagOptions, _Halves, _item_tags, _scaled

pytest.importorskip("gensim")
QUICK = {"batch": 8, "learning_rate": 0.01, "epochs": 60}


class TestAudioTagAutoencoder(ComponentContract):
    component = AudioTagAutoencoder
    configs = [{"hidden": 8, "tag_dim": 8, **QUICK}, {"hidden": 6, "tag_dim": 4, "hide_half": 1, **QUICK}]
    learns_the_checkerboard = ("items", "tags")


def fitted(data, **options):
    options = {"hidden": 8, "tag_dim": 8, **QUICK, **options}
    return AudioTagAutoencoder(AudioTagOptions(**options)).fit(data, np.random.default_rng(0))


def test_items_that_nobody_has_or_tagged_are_placed_by_their_sound():
    data = toy_dataset()
    cold = data.hide(data.interactions.ids >= 30)
    declared = data.item_has["tags"].tolil()
    declared[30:] = 0
    declared = declared.tocsr()
    declared.eliminate_zeros()
    cold = replace(cold, item_has={"tags": declared})
    assert not _item_tags(cold)[30:].nnz
    ids = np.tile(np.arange(30, 40, dtype=np.int32), (2, 1))
    model = fitted(cold)
    for field in ("items", "tags"):
        scores = model.score(parity_queries(cold, field), ids, "items")
        right = ids % 2 == np.array([[0], [1]])
        assert scores[right].mean() > scores[~right].mean() + 0.5


def test_the_loss_of_each_epoch_is_reported():
    model, told = AudioTagAutoencoder(), []
    model._reporter = lambda step, of, numbers: told.append((step, of, numbers["loss"]))
    losses = model.fit(toy_dataset(), np.random.default_rng(0)).state()["losses"].tolist()
    assert told == [(step, len(losses), loss) for step, loss in enumerate(losses, start=1)]


def test_the_loss_falls():
    losses = fitted(toy_dataset()).state()["losses"]
    assert losses[-1] < losses[0] / 3


def test_tags_of_an_item_are_its_own_and_those_of_its_users():
    data = toy_dataset(users=2, items=2, tags=2)
    data = replace(
        data,
        interactions=Ragged.from_columns(np.array([0, 1, 1], np.int32), np.array([0, 0, 1], np.int32), (2, 2)),
        user_has={"tags": csr_matrix([[1, 0], [0, 5]], dtype=np.float32)},
        item_has={"tags": csr_matrix([[3, 0], [0, 0]], dtype=np.float32)},
        assignments={},
    )
    assert _item_tags(data).toarray().tolist() == [[0.75, 0.25], [0, 1]]


def test_halves_are_of_the_same_length_and_unknown_rows_stay_zeros():
    rows = np.random.default_rng(0).normal(3, 2, (50, 5)).astype(np.float32)
    rows[::5] = 0
    scaled, other = _scaled(rows, rows[:7])
    assert not scaled[::5].any()
    assert (scaled[:7] == other).all()
    given = scaled[rows.any(axis=1)]
    np.testing.assert_allclose(given.mean(axis=0), 0, atol=1e-5)
    assert np.square(given).sum(axis=1).mean() == pytest.approx(LENGTH**2, rel=1e-5)


def test_halves_are_hidden_as_often_as_asked_and_only_known_ones_count():
    rows = np.ones((4000, 3), np.float32)
    has_half = np.ones((4000, 2), bool)
    has_half[3000:, 1] = False
    rows[3000:, 1:] = 0
    halves = _Halves(rows, has_half, 1, 0.4, np.random.default_rng(0))
    places = np.arange(4000)
    damaged = halves.damaged(places)
    assert (damaged[3000:] == rows[3000:]).all(), "the only half is never hidden"
    hidden = damaged[:3000] == 0
    assert (hidden[:, 1] == hidden[:, 2]).all()
    np.testing.assert_allclose(hidden[:, :2].mean(axis=0), 0.2, atol=0.03)
    assert not (hidden[:, 0] & hidden[:, 1]).any()
    outputs = np.full((4000, 3), 3, np.float32)
    assert halves.squares(outputs, places) == 3000 * 3 * 2 + 1000 * 2
    assert outputs[0].tolist() == [2, 2, 2]
    assert outputs[3999].tolist() == [2, 0, 0]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (toy_dataset().with_entities("items", vectors=None), "no vectors"),
        (replace(toy_dataset(), user_has={}, item_has={}, assignments={}), "have tags"),
    ],
)
def test_what_is_missing_is_named(data, says):
    with pytest.raises(DataError, match=says):
        fitted(data)
