"""The environment of a report: what the experiment stands on, whatever else is installed."""

from __future__ import annotations

from importlib import metadata

import pytest

from hybridrec.config.load import load_experiment
from hybridrec.engine.environment import distributions_of
from hybridrec.registry.discovery import Registry


@pytest.fixture
def distributions(experiment):
    """The distributions of the small experiment, with pieces of its text replaced."""

    def find(*replacements):
        registry = Registry()
        return distributions_of(load_experiment(experiment(*replacements), registry), registry)

    return find


def test_hybridrec_and_what_it_requires_are_named_extras_aside(distributions):
    names = distributions()
    assert {"hybridrec", "numpy", "scipy", "polars", "pydantic", "pluggy"} <= names
    assert not {"gensim", "implicit", "lightgbm", "pytest"} & names
    assert all(metadata.version(name) for name in names)


def test_a_plugin_is_named_if_the_config_names_a_class_of_it(distributions):
    assert "toyland" in distributions()
    without = [
        ("{reader: toy}", "{reader: setlists, min_items: 20}"),
        ("  noise: {use: echo}\n", ""),
        (", {from: noise, k: 10}", ""),
        ("{toy-events: {}}", "{}"),
    ]
    assert "toyland" not in distributions(*without)
    normaliser = ("use: weighted, ", "use: weighted, normalise: signs, ")
    assert distributions(*without) | {"toyland"} == distributions(*without, normaliser)


def test_libraries_of_components_and_re_rankers_are_named(distributions):
    pytest.importorskip("implicit")
    pytest.importorskip("lightgbm")
    names = distributions(
        ("{use: echo}", "{use: als, factors: 8}"), ("use: weighted, weights: {ease: 1, pop: 0.2}", "use: lambdamart")
    )
    assert {"implicit", "lightgbm"} <= names
