"""Random generators by seed and label: the same for the same pair, different for any other."""

import numpy as np

import hybridrec
from hybridrec.engine.store import Store


def test_two_labels_of_one_component_get_seeds_of_their_own(experiment):
    path = experiment(("noise: {use: echo}", "noise: {use: echo}\n  more: {use: echo}"), ("[pop]", "[pop, more]"))
    report = hybridrec.run(path).report
    found = [Store.default().get(fit.key)["items"] for fit in report.fits if fit.component == "echo"]
    assert len(found) == 2
    assert not np.array_equal(*found)
