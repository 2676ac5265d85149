"""The contract of exporters: those of the core and of the playlists keep it, broken ones do not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from hybridrec import Exporter, Run
from hybridrec.runs.export_split import SplitExporter
from hybridrec.runs.export_trec import ParquetExporter, TrecExporter
from hybridrec.testing import ExporterContract, run_checks


class TestTrec(ExporterContract):
    exporter = TrecExporter


class TestParquet(ExporterContract):
    exporter = ParquetExporter


class TestSplit(ExporterContract):
    exporter = SplitExporter


class Sound(Exporter):
    """Writes the names of the pipelines."""

    name = "sound"

    def export(self, run: Run, folder: Path) -> Sequence[Path]:
        run.queries()
        (folder / "names.txt").write_text("\n".join(run.report.pipelines))
        return [folder / "names.txt"]


class Forgets(Sound):
    """Writes a second file, and does not say so."""

    name = "forgets"

    def export(self, run: Run, folder: Path) -> Sequence[Path]:
        (folder / "more.txt").write_text("more")
        return super().export(run, folder)


class WritesIntoTheRun(Sound):
    """Leaves a file in the folder of the run."""

    name = "writes-into-the-run"

    def export(self, run: Run, folder: Path) -> Sequence[Path]:
        (run.folder / "left.txt").write_text("left")
        return super().export(run, folder)


class WritesHere(Sound):
    """Leaves a file in the working folder."""

    name = "writes-here"

    def export(self, run: Run, folder: Path) -> Sequence[Path]:
        Path("left.txt").write_text("left")
        return super().export(run, folder)


class Breaks(Sound):
    """Dies of a damaged run without a word."""

    name = "breaks"

    def export(self, run: Run, folder: Path) -> Sequence[Path]:
        (run.folder / "queries.parquet").read_bytes()
        return super().export(run, folder)


@pytest.fixture
def own(toyland: Path, tmp_path: Path) -> Path:
    """The config of a run that no other test looks at."""
    path = tmp_path / "own.yaml"
    path.write_text(
        "{name: own, data: {reader: toy}, split: {use: masked}, components: {popularity: {}}, "
        "pipelines: {a: {generators: [{from: popularity}], fallback: []}}, targets: {items: 5}, "
        "compare: {metrics: [ndcg@5], resamples: 100}}"
    )
    return path


@pytest.mark.parametrize(
    ("cls", "checks"),
    [
        (Sound, set()),
        (Forgets, {"returns_the_paths_that_it_wrote"}),
        (WritesHere, {"writes_only_inside_the_folder"}),
        (WritesIntoTheRun, {"writes_only_inside_the_folder"}),
        (Breaks, {"exports_the_whole_or_nothing"}),
    ],
)
def test_each_check_fails_for_what_it_is_about(cls: type[Exporter], checks: set[str], own: Path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = type("Suite", (ExporterContract,), {"exporter": cls, "experiment": own})
    assert {outcome.check for outcome in run_checks(suite) if outcome.status == "failed"} == checks
