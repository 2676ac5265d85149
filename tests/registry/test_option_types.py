"""References among options are found by their types, whatever the options are called and wherever they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest

import hybridrec
from hybridrec import ColumnWeights, ComponentRef, ConfigError, GeneratorLabel, Options, PluginError, VectorModel
from hybridrec.registry.option_types import PoolLabel, Reference, references, used_component
from tests.fake_plugin import install

Space = Annotated[str, ComponentRef(VectorModel)]
SOURCE = '''
from typing import Annotated

import numpy as np
from hybridrec import (
    Candidates, ColumnWeights, ComponentRef, DenseModel, GeneratorLabel, Generator, Options, Reranker, Scorer,
    VectorModel,
    hookimpl,
)

handed = []


class Axes(VectorModel):
    """A dimension for each item."""

    name = "axes"

    def fit(self, data, rng):
        self._size = len(data.items)
        return self

    def query_vectors(self, queries, target):
        return queries.history.matrix().toarray()

    def vectors(self, target):
        return np.eye(self._size, dtype=np.float32)

    def state(self):
        return {"size": np.array([self._size])}

    def restore(self, state):
        self._size = int(state["size"][0])
        return self


class Place(Options):
    """A place."""

    space: Annotated[str, ComponentRef(VectorModel)]
    """Whose vectors."""


class NearOptions(Options):
    """Options of `near`."""

    places: list[Place] = []
    """Places."""
    first: GeneratorLabel | None = None
    """Who comes first."""
    shares: dict[str, ColumnWeights] = {}
    """Weights by anything."""


class Near(Reranker):
    """Reorders."""

    name = "near"
    fuses = True
    Config = NearOptions

    def use(self, model):
        handed.append(("near", model.vectors("items").shape))
        return self

    def rerank(self, queries, pool, n):
        return pool.ranked(np.nan_to_num(next(iter(pool.columns.values()))))


class UponOptions(Options):
    """Options of `upon`."""

    base: Annotated[str, ComponentRef(VectorModel)]
    """What it stands on."""


class Upon(Generator):
    """Generates what its base does."""

    name = "upon"
    Config = UponOptions

    def use(self, model):
        handed.append(("upon", type(model).__name__))
        self._model = model
        return self

    def fit(self, data, rng):
        return self

    def candidates(self, queries, k, target, exclude):
        return self._model.candidates(queries, k, target, exclude)

    def state(self):
        return {}

    def restore(self, state):
        return self


class Numbers(DenseModel):
    """Lends what it counted; has no vectors."""

    name = "numbers"

    def fit(self, data, rng):
        return self.restore({"counts": np.bincount(data.interactions.ids, minlength=len(data.items))})

    def scores(self, queries, target):
        return np.tile(self.counts.astype(np.float32), (len(queries), 1))

    def state(self):
        return {"counts": self.counts}

    def restore(self, state):
        self.counts = state["counts"]
        return self


class HalfOptions(Options):
    """Options of `half`."""

    counted: Annotated[str, ComponentRef(Numbers)]
    """Whose counts."""


class Half(Scorer):
    """Scores by half of the counts of another one."""

    name = "half"
    Config = HalfOptions

    def use(self, model):
        self._numbers = model
        return self

    def fit(self, data, rng):
        return self

    def score(self, queries, ids, target):
        counts = np.append(self._numbers.counts / 2, np.nan).astype(np.float32)
        return counts[ids]

    def state(self):
        return {}

    def restore(self, state):
        return self


@hookimpl
def hybridrec_components():
    return [Axes, Near, Upon, Numbers, Half]
'''
AXES = ("targets:", "  axes: {}\ntargets:")
HYBRID = "rerank: [{use: weighted, weights: {ease: 1, pop: 0.2}}]"


@pytest.fixture
def plugin(experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small experiment, and a plugin whose options refer to components under names of its own."""
    return install(tmp_path, monkeypatch, "near", SOURCE)


class Below(Options):
    """A model below."""

    space: Space
    """A component."""


class Everything(Options):
    """References of all kinds and depths."""

    plain: str = "a"
    """Text."""
    maybe: Space | None = None
    """A component, or none."""
    listed: list[Below] = []
    """Models."""
    paired: tuple[int, Space] | None = None
    """A pair."""
    by_label: dict[GeneratorLabel, Below] = {}
    """Models by generators."""
    shares: dict[str, ColumnWeights] = {}
    """Weights by anything."""


def test_references_are_found_in_lists_mappings_pairs_and_models():
    options = Everything.model_validate(
        {
            "maybe": "one",
            "listed": [{"space": "two"}],
            "paired": [1, "three"],
            "by_label": {"four": {"space": "five"}},
            "shares": {"tags": {"six": 1}},
        }
    )
    space = ComponentRef(VectorModel)
    assert list(references(options)) == [
        Reference(("maybe",), space, "one"),
        Reference(("listed", 0, "space"), space, "two"),
        Reference(("paired", 1), space, "three"),
        Reference(("by_label", "four"), PoolLabel(generators_only=True), "four"),
        Reference(("by_label", "four", "space"), space, "five"),
        Reference(("shares", "tags", "six"), PoolLabel(), "six"),
    ]
    assert list(references(Everything())) == []
    assert used_component(Everything()) is None


def test_two_components_are_not_handed_over():
    options = Everything.model_validate({"maybe": "one", "listed": [{"space": "two"}]})
    with pytest.raises(PluginError, match="`use` takes only one component, but the options name 'one', 'two'"):
        used_component(options)


def test_a_mark_on_what_is_not_text_is_refused():
    class Wrong(Options):
        """Marks a list."""

        spaces: Annotated[list[str], ComponentRef(VectorModel)] = []
        """Components."""

    with pytest.raises(PluginError, match=r"spaces: ComponentRef\(.*\) marks a text, not list"):
        list(references(Wrong()))


@pytest.mark.parametrize(
    ("replacements", "message"),
    [
        ([("{use: echo}", "{use: upon, base: axis}"), AXES],
         "8: components.noise.base: no component is labelled 'axis': did you mean 'axes'?"),
        ([("{use: echo}", "{use: upon, base: pop}"), AXES], "8: components.noise.base: 'pop' (popularity) is not a "
         "vector model; vector models here: axes"),
        ([AXES, (HYBRID, "rerank: [{use: near, places: [{space: axis}]}]")],
         "16: pipelines.hybrid.rerank[0].places[0].space: no component is labelled 'axis': did you mean 'axes'?"),
        ([AXES, (HYBRID, "rerank: [{use: near, places: [{space: axes}, {space: ease}]}]")],
         "16: pipelines.hybrid.rerank[0]: `use` takes only one component, but the options name 'axes', 'ease'"),
        ([AXES, (HYBRID, "rerank: [{use: near, first: pop}]")],
         "16: pipelines.hybrid.rerank[0].first: no generator here is 'pop'"),
        ([AXES, (HYBRID, "rerank: [{use: near, shares: {x: {poop: 1}}}]")],
         "16: pipelines.hybrid.rerank[0].shares.x.poop: no generator or scorer here is 'poop': did you mean 'pop'?"),
    ],
)  # fmt: skip
def test_a_wrong_label_is_refused_with_its_line_and_the_nearest(plugin: Path, experiment, replacements, message: str):
    with pytest.raises(ConfigError) as info:
        hybridrec.run(experiment(*replacements))
    assert f"toy.yaml:{message}" in str(info.value)


def test_a_component_of_any_class_lends_what_it_learned(plugin: Path, experiment):
    """A scorer stands on counts that another component has; they are the very array, in a run and from a bundle."""
    counted = ("targets:", "  numbers: {}\n  half: {counted: numbers}\ntargets:")
    scored = ("scorers: [pop]", "scorers: [pop, half]")
    run = hybridrec.run(experiment(counted, scored, ("workers: 2", "workers: 2\nrefit: all")))
    served = hybridrec.load(run).components
    assert served["half"]._numbers is served["numbers"]
    assert served["numbers"].counts.sum() > 0
    with pytest.raises(
        ConfigError, match=r"components.half.counted: 'pop' \(popularity\) is not numbers; numbers here"
    ):
        hybridrec.run(experiment((counted[0], counted[1].replace("counted: numbers", "counted: pop")), scored))


def test_the_component_that_an_option_names_is_handed_over(plugin: Path, experiment):
    config = experiment(
        ("{use: echo}", "{use: upon, base: axes}"),
        AXES,
        (HYBRID, "rerank: {items: [{use: near, places: [{space: axes}]}], tags: [{use: rrf}]}"),
    )
    hybridrec.run(config)
    handed = set(__import__("near_plugin").handed)
    assert handed == {("upon", "Axes"), ("near", (40, 40))}
