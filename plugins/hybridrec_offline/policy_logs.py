"""Logs of a run for off-policy evaluation: the ids that a pipeline drew, and their probability under another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from hybridrec import PROPENSITY, ConfigError, DataError, Exporter, Options, Target, did_you_mean

if TYPE_CHECKING:
    import polars as pl

    from hybridrec import Run


class OffPolicyOptions(Options):
    """Options of `off-policy`: the pipeline whose slates are logged, the one to estimate, and the places to log."""

    logged: str | None = None
    """Pipeline that drew the slates of the log; by default there is a log for each pipeline that draws its slates."""
    policy: str | None = None
    """Pipeline whose reward is to be estimated from the log; by default each of the other pipelines."""
    target: Target = "items"
    """Target of the slates."""
    places: int = Field(1, ge=1)
    """Number of first places of a slate that are logged, each as a row. The propensity of a row is that of the slate up
    to its place, so that with many places few slates have a chance under both pipelines."""


class OffPolicyExporter(Exporter):
    """Logs for `hybridrec off-policy`: the ids that a pipeline drew, their probability under another, and the reward.

    Each pair of pipelines has a file, `<logged>.<policy>.<target>.log.parquet`, with the columns `query`, `unit`,
    `place`, `action` (the id), `propensity`, `target_propensity` and `reward`. The reward is 1 for an id that is in the
    hidden truth, else 0. A propensity is that of the slate up to the place: the product of the probabilities at its
    places. If rewards are weighted by the ratio of the two propensities, their mean estimates the mean reward of the
    other pipeline (Precup, Sutton and Singh 2000, "Eligibility traces for off-policy policy evaluation", the estimator
    per decision).
    """

    name = "off-policy"
    Config = OffPolicyOptions
    config: OffPolicyOptions

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        self._notes: list[str] = []

    def export(self, run: Run, folder: Path) -> list[Path]:
        """Write a file for each pair of pipelines, and return the paths.

        Raises ConfigError for an unknown pipeline or target. Raises DataError if no pipeline, or not the one that
        `logged` names, drew its slates at random beside another pipeline.
        """
        self._notes = []
        for name in (self.config.logged, self.config.policy):
            if name is not None and name not in run.report.pipelines:
                raise ConfigError(f"{run.folder} has no pipeline '{name}'; {did_you_mean(name, run.report.pipelines)}")
        paths = []
        for name, log in self._logs(run):
            log.write_parquet(folder / name, compression="zstd")
            paths.append(folder / name)
        if not paths:
            did = "no pipeline drew" if self.config.logged is None else f"pipeline '{self.config.logged}' did not draw"
            raise DataError(
                f"{run.folder}: {did} its {self.config.target} at random beside another pipeline: end its `rerank` "
                "with a re-ranker that draws, and run it with the pipeline whose reward is asked for"
            )
        return paths

    def notes(self) -> list[str]:
        """Return a sentence on the number of queries left out, for each pair of pipelines for which there were any."""
        return self._notes

    def _logs(self, run: Run) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the name of the file and the log for each pair of pipelines."""
        target, queries = self.config.target, run.queries()
        targets = next(iter(run.report.pipelines.values())).candidate_recall
        if target not in targets:
            raise ConfigError(f"{run.folder} recommends no {target}; {did_you_mean(target, targets)}")
        for logged in [self.config.logged] if self.config.logged is not None else list(run.report.pipelines):
            slates = run.slates(logged, target)
            if PROPENSITY not in slates.columns:
                continue
            for policy in [self.config.policy] if self.config.policy is not None else list(run.report.pipelines):
                if policy != logged:
                    log = _log(slates, queries, policy, target, self.config.places)
                    yield f"{logged}.{policy}.{target}.log.parquet", self._supported(log, f"{logged}, {policy}")

    def _supported(self, log: pl.DataFrame, pair: str) -> pl.DataFrame:
        """Return the log without the queries from which nothing can be estimated, and note their number.

        For these queries the logged pipeline had only one possible action, while the other pipeline may show another
        one.
        """
        import polars as pl

        beyond = log.filter((pl.col("propensity") == 1) & (pl.col("target_propensity") < 1))["query"].unique()
        if len(beyond):
            self._notes.append(
                f"{pair}: {len(beyond)} of {log['query'].n_unique()} queries are left out, for which nothing was drawn "
                "and the other pipeline shows something else"
            )
        return log.filter(~pl.col("query").is_in(beyond.implode()))


def _log(slates: pl.DataFrame, queries: pl.DataFrame, policy: str, target: Target, places: int) -> pl.DataFrame:
    """Return the log of a pair, a row for each query and place, with the columns that `BanditLog.read` takes."""
    import polars as pl

    relevant = queries.select("query", "unit", relevant=f"relevant_{target}")
    factors = {"propensity": PROPENSITY, "target_propensity": f"{PROPENSITY}.{policy}"}
    first = slates.filter(pl.col("rank") <= places).sort("query", "rank").join(relevant, on="query", how="left")
    return first.select(
        "query",
        "unit",
        place="rank",
        action="id",
        **{
            # A sum of many small probabilities may exceed 1 by rounding.
            name: pl.col(column).cast(pl.Float64).clip(0, 1).cum_prod().over("query")
            for name, column in factors.items()
        },
        reward=pl.col("id").is_in(pl.col("relevant")).cast(pl.Float64),
    )
