"""The denoising autoencoder keeps its contract, has right gradients, and completes one field from the other."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import norm

import hybridrec_autoencoder
from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec_autoencoder.denoising import DenoisingAutoencoder
from hybridrec_autoencoder.network import Adam, Network
from hybridrec_autoencoder.rows import DenoisingOptions, Hiding, Multinomial


class TestDenoisingAutoencoder(ComponentContract):
    component = DenoisingAutoencoder
    configs = [
        {"hidden": 16, "epochs": 25, "batch": 16},
        {
            "hidden": 8,
            "epochs": 20,
            "batch": 7,
            "learning_rate": 0.01,
            "weights": "log",
            "min_users": 1,
            "hide_field": 1,
            "dropout": 0,
        },
        {"hidden": 16, "epochs": 60, "batch": 16, "patience": 20},
    ]
    learns_the_checkerboard = ("items", "tags")


class TestDenoisingAutoencoderOfItems(ComponentContract):
    component = DenoisingAutoencoder
    configs = [{"hidden": 16, "epochs": 25, "batch": 16, "tag_weight": 0}]
    learns_the_checkerboard = ("items",)


def test_what_the_package_offers():
    offered = [component.name for component in hybridrec_autoencoder.hybridrec_components()]
    assert offered == ["denoising-autoencoder", "audio-tag-autoencoder"]


def rows(seed=0, users=30, items=12, tags=6):
    """Users' rows of items and tags, csr float32; the last ten have items alone."""
    values = (np.random.default_rng(seed).random((users, items + tags)) < 0.4).astype(np.float32)
    values[:, items:] *= 0.5
    values[-10:, items:] = 0
    return csr_matrix(values)


def test_the_gradient_is_that_of_the_loss():
    x, rng = rows(), np.random.default_rng(1)
    places = np.array([3, 0, 29])
    network = Network(*(weights.astype(np.float64) for weights in Network.random(18, 5, 18, rng).parameters))
    loss = Multinomial(x, [slice(0, 12), slice(12, 18)])

    def value():
        return loss(network.outputs(network.hidden(x[places])), places)

    hidden = network.hidden(x[places])
    slopes = network.outputs(hidden)
    loss(slopes, places)
    for parameter, gradient in zip(network.parameters, network.gradients(x[places], hidden, slopes), strict=True):
        for place in rng.integers(0, parameter.size, 5):
            kept, step = parameter.flat[place], 1e-5
            parameter.flat[place] = kept + step
            above = value()
            parameter.flat[place] = kept - step
            assert (above - value()) / (2 * step) == pytest.approx(gradient.flat[place], abs=1e-4)
            parameter.flat[place] = kept


def test_the_loss_is_the_multinomial_one_of_each_field():
    x = rows()
    outputs = np.random.default_rng(2).normal(size=(2, 18)).astype(np.float32)
    wanted = 0.0
    for y, row in zip(outputs, x[[4, 25]].toarray(), strict=True):
        for columns in (slice(0, 12), slice(12, 18)):
            wanted -= row[columns] @ (y[columns] - np.log(np.exp(y[columns]).sum()))
    assert Multinomial(x, [slice(0, 12), slice(12, 18)])(outputs, np.array([4, 25])) == pytest.approx(wanted, rel=1e-5)


def test_adam_takes_the_steps_of_the_paper():
    rng = np.random.default_rng(0)
    parameter, bias = rng.normal(size=(2, 3)).astype(np.float32), np.ones(2, np.float32)
    wanted, m, v = parameter.astype(np.float64), np.zeros((2, 3)), np.zeros((2, 3))
    adam = Adam([parameter, bias], weight_decay=0.1)
    for step in range(1, 4):
        g = rng.normal(size=(2, 3))
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        wanted = wanted * (1 - 0.01 * 0.1) - 0.01 * (m / (1 - 0.9**step)) / np.sqrt(v / (1 - 0.999**step))
        adam.step([g.astype(np.float32), np.zeros(2, np.float32)], 0.01)
    np.testing.assert_allclose(parameter, wanted, rtol=1e-5)
    assert bias.tolist() == [1, 1], "biases do not decay"


def test_entries_and_fields_are_hidden_as_often_as_asked():
    x = csr_matrix(np.ones((3000, 10), np.float32))
    options = DenoisingOptions(dropout=0.25, hide_field=0.4)
    is_shown = Hiding(x, 6, options, np.random.default_rng(0))(np.arange(3000)).toarray() > 0
    items, tags = is_shown[:, :6], is_shown[:, 6:]
    np.testing.assert_allclose([1 - items.any(axis=1).mean(), 1 - tags.any(axis=1).mean()], 0.2, atol=0.03)
    assert items[items.any(axis=1)].mean() == pytest.approx(0.75, abs=0.02)
    alone = csr_matrix(np.eye(1, 10, dtype=np.float32))
    options = DenoisingOptions(dropout=0, hide_field=1)
    assert Hiding(alone, 6, options, np.random.default_rng(0))(np.zeros(50, np.int64)).nnz == 50, "it has one field"


def test_damaged_rows_have_length_1_or_0():
    x = rows()
    lengths = norm(Hiding(x, 12, DenoisingOptions(), np.random.default_rng(0))(np.arange(30)), axis=1)
    assert ((np.abs(lengths - 1) < 1e-5) | (lengths == 0)).all()


def test_items_and_tags_of_few_users_are_left_out():
    data = toy_dataset()
    model = DenoisingAutoencoder(DenoisingOptions(epochs=1, min_users=3)).fit(data, np.random.default_rng(0))
    users = data.interactions.matrix(binary=True).getnnz(axis=0)
    assert 0 < (users < 3).sum() < 40
    assert (np.isnan(model.vectors("items")[:, 0]) == (users < 3)).all()
    assert (np.isnan(model.vectors("tags")[:, 0]) == (data.user_matrix("tags").getnnz(axis=0) < 3)).all()


def test_the_loss_of_each_epoch_is_kept():
    options = DenoisingOptions(epochs=40, batch=16, hidden=8)
    losses = DenoisingAutoencoder(options).fit(toy_dataset(), np.random.default_rng(0)).state()["losses"]
    assert len(losses) == 40
    assert losses[-5:].mean() < losses[:5].mean()


def test_items_and_tags_have_thresholds_of_their_own():
    data = toy_dataset()
    items = np.bincount(data.interactions.matrix(binary=True).indices, minlength=len(data.items))
    tags = np.asarray(data.user_matrix("tags").getnnz(axis=0))
    fewest = int(np.median(items)) + 1
    model = DenoisingAutoencoder(
        DenoisingAutoencoder.Config(hidden=4, epochs=1, min_users={"items": fewest, "tags": 1})
    )
    model.fit(data, np.random.default_rng(0))
    for target, counts, threshold in (("items", items, fewest), ("tags", tags, 1)):
        assert (np.isnan(model.vectors(target)[:, 0]) == (counts < threshold)).all()
    assert 0 < (items < fewest).sum() < len(items)
