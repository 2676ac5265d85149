"""The denoising autoencoder keeps its contract, has right gradients, and completes one field from the other."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import norm

import hybridrec_autoencoder
from hybridrec.testing import ComponentContract, toy_dataset
from hybridrec_autoencoder.denoising import DenoisingAutoencoder
from hybridrec_autoencoder.network import Adam, Network
from hybridrec_autoencoder.rows import CrossEntropy, DenoisingOptions, Hiding, Multinomial


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
        {"hidden": [24, 16], "epochs": 60, "batch": 8, "loss": "bce"},
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


LOSSES = {
    "multinomial": lambda x: Multinomial(x, [slice(0, 12), slice(12, 18)]),
    "bce": lambda x: CrossEntropy(x, 12, 0.5),
}


@pytest.mark.parametrize("widths", [(5,), (7, 5, 6)], ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_that_of_the_loss(name, widths):
    x, rng = rows(), np.random.default_rng(1)
    places = np.array([3, 0, 29])
    random = Network.random((18, *widths, 18), rng)
    network = Network(*(tuple(array.astype(np.float64) for array in side) for side in (random.weights, random.biases)))
    loss = LOSSES[name](x)

    def value():
        return loss(network.outputs(network.hidden(x[places])), places)

    layers = network.layers(x[places])
    slopes = network.outputs(layers[-1])
    loss(slopes, places)
    assert len(network.parameters) == 2 * (len(widths) + 1)
    for parameter, gradient in zip(network.parameters, network.gradients(x[places], layers, slopes), strict=True):
        assert gradient.shape == parameter.shape
        for place in rng.integers(0, parameter.size, 5):
            kept, step = parameter.flat[place], 1e-5
            parameter.flat[place] = kept + step
            above = value()
            parameter.flat[place] = kept - step
            assert (above - value()) / (2 * step) == pytest.approx(gradient.flat[place], abs=1e-4)
            parameter.flat[place] = kept


def test_the_cross_entropy_is_that_of_each_entry():
    x = rows()
    outputs = np.random.default_rng(2).normal(size=(2, 18)).astype(np.float32)
    wanted = 0.0
    for y, row in zip(outputs, x[[4, 25]].toarray(), strict=True):
        p = 1 / (1 + np.exp(-y))
        field = np.where(np.arange(18) < 12, 1, 0.5)
        wanted -= np.where(row > 0, row * np.log(p), field * np.log(1 - p)).sum()
    assert CrossEntropy(x, 12, 0.5)(outputs, np.array([4, 25])) == pytest.approx(wanted, rel=1e-5)


def test_a_sure_mistake_costs_much_but_not_everything():
    x = csr_matrix(np.array([[1.0, 0.0]], np.float32))
    outputs = np.array([[-200.0, 200.0]], np.float32)
    assert CrossEntropy(x, 2, 1)(outputs, np.array([0])) == pytest.approx(400)
    assert outputs.tolist() == [[-1, 1]]


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


def test_candidates_lie_in_the_last_of_several_layers():
    data = toy_dataset()
    deep = DenoisingAutoencoder(DenoisingOptions(hidden=(9, 5), epochs=2, min_users=1)).fit(
        data, np.random.default_rng(0)
    )
    queries = data.queries(np.arange(4, dtype=np.int32))
    assert deep.vectors("items").shape == (len(data.items), 6)
    assert deep.query_vectors(queries, "items").shape == (4, 6)
    assert np.isfinite(deep.query_vectors(queries, "items")).all()


def test_one_width_and_a_list_of_it_are_the_same_network():
    data = toy_dataset()
    single, listed = (
        DenoisingAutoencoder(DenoisingOptions(hidden=hidden, epochs=2)).fit(data, np.random.default_rng(0)).state()
        for hidden in (6, (6,))
    )
    assert single.keys() == listed.keys()
    assert all((single[name] == listed[name]).all() for name in single)
