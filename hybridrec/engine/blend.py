"""The stacking set: out-of-fold predictions for validation queries, on which re-rankers learn."""

from __future__ import annotations

from hybridrec.data.fingerprint import fingerprint
from hybridrec.data.splits.base import Fold
from hybridrec.engine.keys import digest
from hybridrec.engine.pipelines import FittedPipeline
from hybridrec.inference.batch_runner import BatchRunner, EvalQueries
from hybridrec.stages.checks import check_self
from hybridrec.stages.component import Reranker
from hybridrec.tracing import calling
from hybridrec.types import Target


class StackingSet:
    """The validation queries of a fold with scores of models that did not see them.

    The scores are computed when the first re-ranker has to learn.
    """

    def __init__(self, runner: BatchRunner, arm: FittedPipeline, fold: str, validation: Fold, target: Target) -> None:
        self.runner = runner
        self.arm = arm
        self.fold = fold
        self.validation = validation
        self.target = target
        self._asked = fingerprint(
            validation.queries,
            validation.truth[target],
            validation.weights,
            validation.units,
            validation.candidate_items,
            (target,),
        )
        self._before: list[tuple[Reranker, str]] = []

    @property
    def key(self) -> str:
        """Digest of everything that decides the input on which the next re-ranker of the chain learns."""
        return digest(self.arm.pool_key, self._asked, [key for _, key in self._before])

    def fit_blend(self, reranker: Reranker) -> None:
        """Fit a re-ranker on the pools of the validation queries, as the earlier re-rankers of the chain leave them."""
        queries, truth = self.validation.queries, self.validation.truth[self.target]
        question = EvalQueries(queries, self.target, 1, truth, self.validation.candidate_items)
        pool = self.runner.pool(self.arm, question)
        pool = self.arm.pipeline.reranked(queries, pool, pool.ids.shape[1], [earlier for earlier, _ in self._before])
        with calling(reranker, f"in pipeline '{self.arm.name}', while learning in {self.validation.name}"):
            learned = reranker.fit_on_predictions(queries, pool, truth, self.validation.weights, self.validation.units)
            check_self(reranker, "fit_on_predictions", learned)

    def pass_on(self, reranker: Reranker, key: str) -> None:
        """Append a re-ranker that was fitted out of fold to the chain; the next re-ranker will learn on its output.

        `key` is the digest of everything that decides its output.
        """
        self._before.append((reranker, key))
