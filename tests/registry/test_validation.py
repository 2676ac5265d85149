"""Attributes that an author forgets or misspells in a class are reported when the plugin is loaded."""

import sys
import types

import pytest

from hybridrec import Options, PluginError, Reranker, Scorer, SetMetric
from hybridrec.registry.validation import validate_class


class Year(Scorer):
    """Scores nothing."""

    name = "year"
    house = "rules"

    def fit(self, data, rng):
        return self

    def score(self, queries, ids, target):
        raise NotImplementedError

    def state(self):
        return {}

    def restore(self, state):
        return self


class ByConfig(Year):
    @property
    def needs(self):
        return frozenset({"items"})


class Both(Year):
    """An attribute that is nearly one of the engine's names stands beside that one."""

    need = "items"
    needs = frozenset({"items", "tags"})


class Mean(SetMetric):
    name = "mean"
    higher_is_beter = False

    def value(self, folds, k):
        return 0.0


class Learner(Reranker):
    name = "learner"
    learn_s = True

    def rerank(self, queries, pool, n):
        return pool


class Hits(Mean):
    """A name that only components know means something else here."""

    name = "hits"
    needs = 3
    higher_is_better = False


@pytest.mark.parametrize("cls", [Year, ByConfig, Both, Hits])
def test_a_sound_class_is_loaded(cls):
    validate_class(cls)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (type("Near", (Year,), {"need": {"items"}}), "Near.need: did you mean 'needs'\\?"),
        (type("Near", (type("Base", (Year,), {"fold_in": True}),), {}), "Near.fold_in: did you mean 'folds_in'\\?"),
        (type("Near", (Year,), {"confg": None}), "did you mean 'config'\\?"),
        (Mean, "Mean.higher_is_beter: did you mean 'higher_is_better'\\?"),
        (Learner, "Learner.learn_s: did you mean 'learns'\\?"),
        (type("Near", (Year,), {"needs": "items"}), "needs must be a set of names such as .*, not 'items'"),
        (type("Near", (Year,), {"needs": {"Item"}}), "Near.needs must be a set of names .*, not {'Item'}"),
        (type("Near", (Year,), {"targets": "items"}), "Near.targets must be a tuple of names .*, not 'items'"),
    ],
)
def test_what_cannot_be_meant_is_refused(cls, message):
    with pytest.raises(PluginError, match=message):
        validate_class(cls)


def test_options_that_no_class_takes_are_missed(monkeypatch):
    module = types.ModuleType("near")
    module.Near = type("Near", (Year,), {"__module__": "near"})
    module.NearScorerOptions = type("NearScorerOptions", (Options,), {"__module__": "near"})
    monkeypatch.setitem(sys.modules, "near", module)
    with pytest.raises(PluginError, match="Near has no Config; is 'Config = NearScorerOptions' missing"):
        validate_class(module.Near)
    module.Nearest = type("Nearest", (Year,), {"__module__": "near", "Config": module.NearScorerOptions})
    validate_class(module.Near)
