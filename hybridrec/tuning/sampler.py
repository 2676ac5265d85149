"""Where to look next: Optuna proposes values, and says afterwards which options mattered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hybridrec.config.experiment import Dimension, Tuning
from hybridrec.config.models import Range
from hybridrec.engine.seeds import label_rng
from hybridrec.errors import MissingDependencyError
from hybridrec.tuning.trials import Trial

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial


class Sampler:
    """Proposes values from the trials it was told of.

    Every proposal has a generator of its own, made from the seed and the number of the trial, so that a
    search that was interrupted goes on as if it had not been.
    """

    def __init__(self, tuning: Tuning, method: Literal["tpe", "random"], seed: int) -> None:
        """Raises MissingDependencyError without Optuna."""
        try:
            import optuna
        except ImportError:
            raise MissingDependencyError(
                "`hybridrec tune` needs the library 'optuna', which is not installed: pip install 'hybridrec[tune]'"
            ) from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.tuning = tuning
        self.method = method
        self.seed = seed
        self.space = {dimension.path: _distribution(dimension) for dimension in tuning.space}
        higher = tuning.metric_spec.measure.metric.higher_is_better
        self.study = optuna.create_study(direction="maximize" if higher else "minimize", sampler=self._sampler(0))

    def tell(self, trial: Trial) -> None:
        """Learn from a trial; one that failed teaches nothing."""
        if trial.state != "failed":
            self.study.add_trial(self._frozen(trial))

    def ask(self, number: int) -> dict[str, Any]:
        """The values of a trial, by key path; those of the config itself for the first."""
        if number == 0:
            return {dimension.path: dimension.start for dimension in self.tuning.space}
        import optuna

        self.study.sampler = self._sampler(number)
        asked = self.study.ask(self.space)
        # What counts is what `tell` adds, also after an interruption; this one is never looked at again.
        self.study.tell(asked, state=optuna.trial.TrialState.FAIL)
        return {d.path: _value(d, asked.params[d.path]) for d in self.tuning.space}

    def importance(self, trials: Sequence[Trial]) -> dict[str, float]:
        """Key path -> its share in what tells the best tenth of the trials from all, largest first; they sum to 1.

        By PED-ANOVA (Watanabe, Bansal and Hutter 2023). Empty where nothing can be told: fewer than two
        different values.
        """
        import optuna

        measured = {trial.metrics[self.tuning.metric_spec.key] for trial in trials if trial.state != "failed"}
        if len(measured) < 2:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        return {path: round(float(share), 5) for path, share in found.items() if np.isfinite(share)}

    def _sampler(self, number: int) -> BaseSampler:
        from optuna.samplers import RandomSampler, TPESampler

        seed = int(label_rng(self.seed, f"trial {number}").integers(2**32))
        return RandomSampler(seed=seed) if self.method == "random" else TPESampler(seed=seed)

    def _frozen(self, trial: Trial) -> FrozenTrial:
        """A trial as Optuna keeps it."""
        import optuna

        return optuna.trial.create_trial(
            params={d.path: _parameter(d, trial.values[d.path]) for d in self.tuning.space},
            distributions=self.space,
            value=trial.metrics[self.tuning.metric_spec.key],
            constraints={
                str(bound): bound.excess(trial.metrics[bound.metric_spec.key]) for bound in self.tuning.bounds
            },
        )


def _distribution(dimension: Dimension) -> BaseDistribution:
    """A dimension as Optuna knows it; choices go by their texts, as they may be lists."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    values = dimension.values
    if not isinstance(values, Range):
        return CategoricalDistribution([dimension.text(value) for value in values])
    high = values.high
    if values.step is not None:  # the last step that is within the range
        high = values.low + (values.high - values.low + 1e-9) // values.step * values.step
    if dimension.whole:
        return IntDistribution(int(values.low), int(high), log=values.log, step=int(values.step or 1))
    return FloatDistribution(values.low, high, log=values.log, step=values.step)


def _parameter(dimension: Dimension, value: Any) -> Any:
    return value if isinstance(dimension.values, Range) else dimension.text(value)


def _value(dimension: Dimension, parameter: Any) -> Any:
    return parameter if isinstance(dimension.values, Range) else dimension.parse(parameter)
