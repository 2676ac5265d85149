"""Interleaving of two pipelines of a finished run, replayed: the relevant ids stand for the choices of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec.data.vocabulary import Vocabulary
from hybridrec.engine.seeds import label_rng
from hybridrec.errors import ConfigError, did_you_mean
from hybridrec.evaluation.compare import compare
from hybridrec.evaluation.interleaving import ROUNDS, Method, replay
from hybridrec.evaluation.report import Comparison
from hybridrec.evaluation.samples import EvaluatedArm
from hybridrec.runs.run import Run
from hybridrec.types import PADDING, Ints, Sparse, Target

if TYPE_CHECKING:
    import polars as pl


def interleave_run(
    run: Run,
    control: str,
    variant: str,
    *,
    method: Method = "team-draft",
    n: int = 20,
    target: Target = "items",
    rounds: int = ROUNDS,
    seed: int = 0,
) -> list[Comparison]:
    """Compare two pipelines of a run by interleaving their stored slates.

    Returns a row for all queries and a row for each segment. The metric is named after the method, such as
    `team-draft@20`. Its mean for a pipeline is the share of interleavings that the pipeline won, and `delta` is the
    difference between the shares of the two pipelines. Raises ConfigError for an unknown pipeline or target, and
    StoreError if the run is damaged.
    """
    for name in (control, variant):
        if name not in run.report.pipelines:
            raise ConfigError(f"{run.folder} has no pipeline '{name}'; {did_you_mean(name, run.report.pipelines)}")
    targets = run.report.pipelines[control].candidate_recall
    if target not in targets:
        raise ConfigError(f"{run.folder} recommends no {target}; {did_you_mean(target, targets)}")
    (before, after), truth = stored_slates(run, [control, variant], target)
    rng = label_rng(seed, "interleave")
    won = replay(before, after, truth, n, method, rng, rounds)
    sample, metric = run.sample(), f"{method}@{n}"
    arms = {
        name: EvaluatedArm(name, sample, {metric: share}) for name, share in zip((control, variant), won, strict=True)
    }
    return compare(arms, [(control, variant)], [metric], rng)


def stored_slates(run: Run, pipelines: list[str], target: Target) -> tuple[list[Ints], Sparse]:
    """Read the slates of pipelines and the truth of a run as arrays of codes.

    Returns (slates, truth). `slates` has an array for each pipeline, int32 [Q, n] padded with -1, and `truth` is csr
    [Q, N]. The codes belong to a new vocabulary of the N ids that occur in these slates and this truth.
    """
    import polars as pl

    relevant = run.queries().select("query", id=f"relevant_{target}").explode("id").drop_nulls()
    frames = [run.slates(name, target) for name in pipelines]
    vocabulary = Vocabulary(pl.concat([relevant["id"], *(frame["id"] for frame in frames)]))
    queries = run.queries().height
    truth = csr_matrix(
        (np.ones(relevant.height, np.float32), (relevant["query"], vocabulary.encode(relevant["id"]))),
        shape=(queries, len(vocabulary)),
    )
    return [_slates(frame, vocabulary, queries) for frame in frames], truth


def _slates(frame: pl.DataFrame, vocabulary: Vocabulary, queries: int) -> Ints:
    """Convert a frame with a row for each place of a slate to an array of slates: int32 [Q, n], -1 as padding."""
    places = frame["rank"].to_numpy() - 1
    ids = np.full((queries, int(places.max(initial=0)) + 1), PADDING, np.int32)
    ids[frame["query"].to_numpy(), places] = vocabulary.encode(frame["id"])
    return ids
