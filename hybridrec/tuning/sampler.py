"""The sampler of a search, by which Optuna proposes values and afterwards computes how much each option mattered."""

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
    """A sampler that proposes the values of the next trial from the trials so far.

    Every proposal has a random generator of its own, made from the seed and the number of the trial, so that an
    interrupted search continues exactly as it would have without the interruption.
    """

    def __init__(self, tuning: Tuning, method: Literal["tpe", "random"], seed: int) -> None:
        """Create an Optuna study of the space of `tuning`; raises MissingDependencyError without Optuna."""
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
        """Add a finished trial to the study; failed trials are ignored."""
        if trial.state != "failed":
            self.study.add_trial(self._frozen(trial))

    def ask(self, number: int) -> dict[str, Any]:
        """Propose the values of trial `number`, by key path; trial 0 has the values of the config itself."""
        if number == 0:
            return {dimension.path: dimension.start for dimension in self.tuning.space}
        import optuna

        self.study.sampler = self._sampler(number)
        asked = self.study.ask(self.space)
        # Only trials added by `tell` count, also after an interruption, so Optuna's own record of this one is closed.
        self.study.tell(asked, state=optuna.trial.TrialState.FAIL)
        return {d.path: _value(d, asked.params[d.path]) for d in self.tuning.space}

    def importance(self, trials: Sequence[Trial]) -> dict[str, float]:
        """Return the importance of each option by key path, the most important first; the values sum to 1.

        An option is important if its values in the best tenth of the trials are distributed otherwise than in all
        trials (PED-ANOVA; Watanabe, Bansal and Hutter 2023). The result is empty if the metric has fewer than two
        different values.
        """
        import optuna

        measured = {trial.metrics[self.tuning.metric_spec.key] for trial in trials if trial.state != "failed"}
        if len(measured) < 2:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        importances = optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        return {path: round(float(share), 5) for path, share in importances.items() if np.isfinite(share)}

    def _sampler(self, number: int) -> BaseSampler:
        from optuna.samplers import RandomSampler, TPESampler

        seed = int(label_rng(self.seed, f"trial {number}").integers(2**32))
        return RandomSampler(seed=seed) if self.method == "random" else TPESampler(seed=seed)

    def _frozen(self, trial: Trial) -> FrozenTrial:
        """Convert a trial to Optuna's type."""
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
    """Convert a dimension of the search space to Optuna's type; listed values become texts, since they may be lists."""
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
