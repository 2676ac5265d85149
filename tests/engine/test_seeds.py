"""Random generators by seed and label: the same for the same pair, different for any other."""

import numpy as np

import hybridrec
from hybridrec.engine.seeds import label_rng
from hybridrec.engine.store import Store


def test_two_labels_of_one_component_get_seeds_of_their_own(experiment):
    path = experiment(("noise: {use: echo}", "noise: {use: echo}\n  more: {use: echo}"), ("[pop]", "[pop, more]"))
    report = hybridrec.run(path).report
    vectors = [Store.default().get(fit.key)["items"] for fit in report.fits if fit.component == "echo"]
    assert len(vectors) == 2
    assert not np.array_equal(*vectors)


def test_seed_and_label_alone_decide_the_numbers():
    def drawn(seed, label):
        return label_rng(seed, label).integers(2**31, size=4).tolist()

    assert drawn(3, "split") == drawn(3, "split")
    assert len({tuple(drawn(seed, label)) for seed in (0, 3) for label in ("split", "als", "")}) == 6


def test_the_numbers_of_a_seed_never_change():
    """Every figure in the docs, and every stored fit, was drawn from them."""
    assert label_rng(3, "split").integers(1000, size=4).tolist() == [136, 984, 611, 987]
