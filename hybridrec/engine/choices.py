"""Choices of options by the data: compare two to four values of an option on queries held out of the training part."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from hybridrec.config.experiment import ComponentSpec
from hybridrec.engine.fitter import Done, Fitter, PlannedFit, TrainingPart
from hybridrec.engine.keys import digest
from hybridrec.stages.component import Generator
from hybridrec.tracing import calling
from hybridrec.types import Doubles

LEVEL = "choice"
"""The level of fits that are made only to choose an option."""
K = 20
"""The cut-off of the nDCG by which values are compared."""


MARGIN = 2.0
"""Number of standard errors by which a value must be better than the first one to be chosen.

The first value is a default, and another one may be the best by luck.
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice among the values of an option of one component, made in one fold.

    ndcg: mean nDCG@20 with each value, in the order of the config; NaN if there was no query to rank
    margin: for each value, its mean nDCG minus that of the first value, in standard errors of this difference
    """

    spec: ComponentSpec
    ndcg: tuple[float, ...]
    margin: tuple[float, ...]

    @classmethod
    def of(cls, spec: ComponentSpec, values: Sequence[Doubles], weights: Doubles) -> Choice:
        """Compare the values of an option.

        values: for each value of the option, the nDCG of each query with it: float64 [Q]
        weights: float64 [Q], the weight of each query in the mean
        """
        if not len(weights):
            nothing = (float("nan"),) * len(values)
            return cls(spec, nothing, nothing)
        share = weights / weights.sum()
        ndcg = [float(share @ each) for each in values]
        differences = [each - values[0] for each in values]
        errors = [math.sqrt(share**2 @ (each - share @ each) ** 2) for each in differences]
        margin = [
            float(share @ each) / error if error else 0.0 for each, error in zip(differences, errors, strict=True)
        ]
        return cls(spec, tuple(ndcg), tuple(margin))

    @property
    def place(self) -> int:
        """The index of the chosen value: the best of the values that are clearly better than the first one, else 0."""
        clear = [place for place, margin in enumerate(self.margin) if margin > MARGIN]
        return max(clear, key=lambda place: self.ndcg[place], default=0)

    @property
    def decided(self) -> ComponentSpec:
        """The component with the chosen value."""
        return self.spec.with_choice(self.place)

    def __str__(self) -> str:
        """Describe the choice as a note of a run: the option, the chosen value, and the nDCG with each value."""
        assert self.spec.choice is not None
        values = self.spec.choice.values
        compared = ", ".join(f"{ndcg:.4f} with {value!r}" for value, ndcg in zip(values, self.ndcg, strict=True))
        kept = "" if self.place or all(margin <= 0 for margin in self.margin) else "; none is clearly better"
        return (
            f"`{self.spec.choice.option}` is {values[self.place]!r}: nDCG@{K} inside its training part is "
            f"{compared}{kept}"
        )


def choice_part(parts: Mapping[str, TrainingPart]) -> TrainingPart:
    """Return the training part of a fold from which queries are held out to choose options.

    It is the training part of the level "out_of_fold" if a blend learns, else that of the level "full". The training
    part "out_of_fold" lacks the truth of the queries on which a blend learns, so no choice depends on this truth.
    Components that are fitted on both training parts get the same chosen values.
    """
    return parts.get("out_of_fold", parts["full"])


def choice_jobs(specs: Sequence[ComponentSpec], training_part: TrainingPart) -> list[PlannedFit]:
    """Return the fits by which options are chosen: for each component with a choice, one fit for each value.

    The fits learn from the training part without the queries that are held out of it.
    """
    variants = [variant for spec in specs if spec.choice is not None for variant in spec.variants]
    if not variants:
        return []
    assert training_part.validation is not None, "training parts of a fold come with a splitter"
    train = training_part.validation[1].train
    # A component that stops early by a validation split of its own does so here as in the fit that is chosen for.
    inner = TrainingPart(training_part.fold, LEVEL, train, train.fingerprint, training_part.splitter)
    return [(variant, inner) for variant in variants]


def decide(
    specs: Sequence[ComponentSpec], training_part: TrainingPart, fitter: Fitter, done: Done = lambda _: None
) -> dict[str, Choice]:
    """Choose the value of an option for each component that has a choice, and return the choices by label.

    Choices for base models come first: components that use a base model with a choice are compared with the chosen
    value in it. `done` is called with each fit when the fit ends.
    """
    choices: dict[str, Choice] = {}
    for depth in sorted({len(spec.base_models) for spec in specs}):
        at_depth = [spec for spec in specs if len(spec.base_models) == depth]
        level = [on_chosen(spec, choices) for spec in at_depth if spec.choice is not None]
        if not level:
            continue
        fits = iter(fitter.fit(choice_jobs(level, training_part), done))
        for spec in level:
            assert spec.choice is not None
            compared = [next(fits) for _ in spec.choice.options]
            assert training_part.validation is not None
            fingerprint, split = training_part.validation
            key = digest("choice 1", fingerprint, K, *(fit.key for fit in compared))
            state = fitter.store.find(key)
            if state is None:
                with calling(spec.cls, f"while comparing values of components.{spec.label}.{spec.choice.option}"):
                    ranked = [split.ndcg_by_query(cast(Generator, fit.component), K) for fit in compared]
                choice = Choice.of(spec, [ndcg for ndcg, _ in ranked], ranked[0][1])
                state = {"ndcg": np.array(choice.ndcg), "margin": np.array(choice.margin)}
                if spec.kept:
                    fitter.store.put(key, state, {"choice of": spec.label, "fold": training_part.fold})
            choices[spec.label] = Choice(spec, tuple(state["ndcg"].tolist()), tuple(state["margin"].tolist()))
    return choices


def on_chosen(spec: ComponentSpec, choices: Mapping[str, Choice]) -> ComponentSpec:
    """Return the component with the chosen values in the options of its base models; its own options do not change."""
    if spec.base_model is None:
        return spec
    return replace(spec, base_model=chosen(spec.base_model, choices))


def chosen(spec: ComponentSpec, choices: Mapping[str, Choice]) -> ComponentSpec:
    """Return the component with the values that were chosen for it and for its base models."""
    decided = choices[spec.label].decided if spec.label in choices else spec
    return on_chosen(decided, choices)
