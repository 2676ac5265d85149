"""Exporter `split`: the training part of each fold and the queries as tables, for models of other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridrec.config.load import load_experiment, registry_for
from hybridrec.data.dataset import Dataset
from hybridrec.data.transforms import k_core
from hybridrec.engine.environment import preferred
from hybridrec.engine.folds import folds_of
from hybridrec.engine.runner import read
from hybridrec.errors import DataError, PluginError
from hybridrec.evaluation.samples import Sample
from hybridrec.paths import inside, replacing
from hybridrec.plugin import Options
from hybridrec.runs.export_trec import qrels_of, targets_of, write_parquet
from hybridrec.runs.exporter import Exporter
from hybridrec.runs.run import CONFIG, MORE_SEGMENTS, RELEVANT

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.evaluation.report import PluginUse
    from hybridrec.registry.discovery import Registry
    from hybridrec.runs.run import Run


class SplitOptions(Options):
    """Options of `split`."""

    plugins: tuple[Any, ...] = ()
    """Plugins without packaging that the run was made with: their files, or in Python classes. By default those of
    `--plugin`."""


class SplitExporter(Exporter):
    """The training part of each fold, the queries and their truth as Parquet files, for models of other libraries.

    `<fold>.train.parquet` has a row per interaction of the training part, the rows of a user in order: `user`, `item`
    and, if the data has them, `time` (seconds since 1970) and `weight`. `known.parquet` has what each query shows:
    `query`, `fold`, `unit` (the user who asks), `items` and the other fields. `queries.parquet` has `query`, `unit` and
    a column for each segmenter; it is the file for `hybridrec evaluate --queries`. `<target>.qrels.parquet` has
    `query`, `id` and `relevant`; it is the file for `--qrels`.

    The data is read and split once more, so it must still be where it was, and unchanged. The plugin files of the run
    are handed over again (`--plugin FILE.py`), unchanged as well.
    """

    name = "split"
    Config = SplitOptions
    config: SplitOptions

    def __init__(self, config: Options | None = None) -> None:
        super().__init__(config)
        self._notes: list[str] = []

    def export(self, run: Run, folder: Path) -> list[Path]:
        """Write the files; raises DataError if the data or its split is not the same as in the run.

        Raises PluginError if a plugin file of the run is not among `plugins`, or has changed.
        """
        self._notes = []
        used = run.report.environment.plugins
        registry = registry_for(run.file(CONFIG), plugins=self.config.plugins, prefer=preferred(used))
        _refuse_missing_files(run, used, registry)
        experiment = load_experiment(run.file(CONFIG), registry)
        data, core = read(experiment), experiment.config.k_core
        if data.fingerprint != run.report.data.fingerprint:
            raise DataError(
                f"{run.folder}: its data, read again, is not the data that the run saw: the data or its reader has "
                "changed since the run; export from the data as it was, or run the experiment again"
            )
        samples, paths = [], []
        for fold in folds_of(experiment, data):
            samples.append(Sample.of(fold, experiment.segmenters))
            train = k_core(fold.train, users=core.users, items=core.items)
            paths.append(_write_interactions(inside(folder, f"{fold.name}.train.parquet"), train))
        sample = Sample.join(samples)
        if sample.digest != run.lock["sample"]:
            raise DataError(
                f"{run.folder}: its data, split again, gives other queries than those of the run: the splitter has "
                "changed since (or the run was measured on validation queries)"
            )
        if (sample.weights != sample.weights[0]).any():
            self._notes.append("the queries of the run have weights, and `hybridrec evaluate` weighs all the same")
        queries = run.queries()
        visible = queries.drop([name for name in queries.columns if name.startswith(RELEVANT)])
        paths.append(write_parquet(visible, folder, "known"))
        paths.append(write_parquet(_asked(run), folder, "queries"))
        return paths + [
            write_parquet(qrels_of(queries, target), folder, f"{target}.qrels") for target in targets_of(run)
        ]

    def notes(self) -> list[str]:
        """Return a sentence on the weights of the queries if they differ."""
        return self._notes


def _refuse_missing_files(run: Run, used: Sequence[PluginUse], registry: Registry) -> None:
    """Raise PluginError if plugins without packaging that a run used are not in the registry, or have changed."""
    handed = {(provider.name, provider.digest) for provider in registry.providers if provider.file}
    missing = [plugin for plugin in used if plugin.file and (plugin.name, plugin.digest) not in handed]
    if missing:
        named = ", ".join(f"'{plugin.name}' ({plugin.file})" for plugin in missing)
        raise PluginError(
            f"{run.folder} was made with plugins without packaging: hand over {named}, as it was then, with "
            "`--plugin FILE.py`, or in Python in the option `plugins` of the exporter"
        )


def _asked(run: Run) -> pl.DataFrame:
    """Return the table of queries for `hybridrec evaluate`: `query`, `unit`, and a column of segments per segmenter."""
    import polars as pl

    first, *others = run.report.segmenters
    rows = run.per_query().filter(pl.col("pipeline") == pl.col("pipeline").first())
    more = {name: pl.col(f"{MORE_SEGMENTS}{name}") for name in others}
    return rows.select(pl.col("query").cast(pl.UInt32), "unit", pl.col("segment").alias(first), **more)


def _write_interactions(path: Path, train: Dataset) -> Path:
    """Write the interactions of a training part with external ids, decoded block by block; return `path`."""
    import polars as pl

    interactions = train.interactions
    columns = {
        "user": interactions.rows,
        "item": interactions.ids,
        "time": interactions.times,
        "weight": interactions.weights,
    }
    frame = pl.LazyFrame({name: values for name, values in columns.items() if values is not None})
    vocabularies = {"user": train.users.vocabulary, "item": train.items.vocabulary}
    decoded = [
        pl.col(name).map_batches(
            lambda codes, vocabulary=vocabulary: vocabulary.decode(codes.to_numpy()),  # type: ignore[misc]
            return_dtype=pl.String,
            is_elementwise=True,
        )
        for name, vocabulary in vocabularies.items()
    ]
    with replacing(path) as file:
        frame.with_columns(decoded).sink_parquet(file, compression="zstd")
    return path
