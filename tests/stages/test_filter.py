"""Filters: what they exclude is proposed by nobody, filled in by nobody, and in no slate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import PADDING, DataError, Exclude, Filter, Generator, PluginError, Reranker, Scorer
from hybridrec.errors import HybridrecError
from hybridrec.registry.discovery import Registry
from hybridrec.registry.option_types import used_component
from hybridrec.stages.attribute_filter import AttributeFilter
from hybridrec.stages.component import VectorModel
from hybridrec.stages.pipeline import Filters, Pipeline, Source
from hybridrec.testing import FilterContract, toy_dataset, toy_queries
from hybridrec_fusion.fixed_weights import Weighted
from tests.stages.builders import IMPLIED, QUERIES, Fixed, pipeline

DATA = toy_dataset()
NAMED = replace(toy_queries(DATA), ids=tuple(f"r{row}" for row in range(len(toy_queries(DATA)))))


class ByGroup(Filter):
    """Every query may see the ids of its own remainder alone, a third of them, and never id 3."""

    name = "by-group"

    def fit(self, data):
        self.sizes = {"items": len(data.items), "tags": data.size("tags")}
        return self

    def exclude(self, queries, target):
        n = self.sizes[target]
        remainder = np.arange(n) % 3
        lengths = queries.history.lengths
        rows = csr_matrix((np.ones(len(queries)), (np.arange(len(queries)), lengths % n)), shape=(len(queries), n))
        groups = np.stack([remainder != 0, remainder == 1])
        return Exclude(rows, np.arange(n) == 3, groups=groups, group=(lengths % 3 - 1).astype(np.int32))

    def state(self):
        return {name: np.array(n) for name, n in self.sizes.items()}

    def restore(self, state):
        self.sizes = {name: int(n) for name, n in state.items()}
        return self


class TestByGroup(FilterContract):
    filter = ByGroup


def components():
    """Every component of the plugins of this repository that the toy data can fit with its defaults."""
    made = []
    for cls in Registry().classes("components"):
        if any(field.is_required() for field in cls.Config.model_fields.values()):
            continue
        component = cls()
        if used_component(component.config) is None:
            made.append(component)
    return made


@pytest.fixture(scope="module")
def fitted():
    fits = []
    for component in components():
        try:
            fits.append(component.fit(DATA, np.random.default_rng(0)))
        except (HybridrecError, ImportError):  # it needs what the toy data lack, or a library that is not here
            continue
    return fits


def test_no_first_party_pipeline_ever_shows_what_is_excluded(fitted):
    """Every generator, before every re-ranker, with every other generator as its fallback in turn."""
    costs = AttributeFilter(AttributeFilter.Config(where="cost < 4 or request.budget > 3", unknown="allow"))
    filters = Filters((*IMPLIED, ByGroup().fit(DATA), costs.fit(DATA)))
    generators = [each for each in fitted if isinstance(each, Generator)]
    rerankers = [each for each in fitted if isinstance(each, Reranker) and not each.learns and each.fuses is not None]
    assert len(generators) > 15
    assert len(rerankers) > 12
    shown = 0
    for turn, generator in enumerate(generators):
        scorers = (("s", generator),) if isinstance(generator, Scorer) else ()
        for place, reranker in enumerate(rerankers):
            chain = (reranker,) if reranker.fuses else (Weighted(), reranker)
            fallback = generators[(turn + place) % len(generators)]
            for target in ("items", "tags")[: 1 if place else 2]:  # tags have no chains of their own
                pipe = Pipeline(
                    "mine",
                    (Source("g", generator, 7),),
                    scorers,
                    {"items": chain, "tags": (Weighted(),) if generator.recommends("tags") else ()},
                    (("f", fallback),),
                    filters,
                )
                exclude = filters.exclude(NAMED, target)
                slate = pipe.slate(NAMED, target, 9)
                held = exclude.holds(slate.ids)
                assert not held.any(), f"{generator.name}, {reranker.name}, {fallback.name} show {slate.ids[held][:1]}"
                shown += int((slate.ids != PADDING).sum())
    assert shown > 10_000
    assert any(isinstance(each, VectorModel) for each in generators)


@pytest.mark.parametrize(("given", "message"), [
    (None, "must return an Exclude, not NoneType"),
    (Exclude(ids=np.zeros(3, bool)), "ids"),
    (Exclude(csr_matrix((2, 12))), r"rows must have the shape \(5, 12\)"),
    (Exclude(groups=np.zeros((1, 12), bool)), "`groups` and `group` belong together"),
    (Exclude(groups=np.zeros((2, 12), bool), group=np.full(5, 2, np.int32)), "query 0 is of the group 2; there are 2"),
])  # fmt: skip
def test_an_exclusion_of_the_wrong_shape_names_the_filter(given, message):
    class Wrong(Filter):
        """Gives what it is given."""

        name = "wrong"

        def exclude(self, queries, target):
            return given

    filters = Filters((Wrong(),))
    with pytest.raises(PluginError, match=message) as raised:
        pipeline([("g", Fixed(), 3)], filters=filters).slate(QUERIES, "items", 3)
    assert any("while filtering items: wrong 1" in note for note in raised.value.__notes__)
    assert not isinstance(raised.value, DataError)
