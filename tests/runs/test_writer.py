"""The folder of a run: all files or none, and a name of its own."""

import os
from pathlib import Path

import pytest

import hybridrec
from hybridrec import Run, WriteError
from hybridrec.runs import writer
from hybridrec.runs.writer import free, writable, write_report
from tests.engine.toy_runs import events, keys


def test_the_folder_holds_the_whole_run(experiment):
    run = hybridrec.run(experiment())
    assert {path.name for path in run.folder.iterdir()} == {
        "config.yaml", "lock.json", "manifest.json", "report.json", "report.html", "per_query.parquet",
        "queries.parquet", "names.parquet", "slates",
    }  # fmt: skip
    assert run.folder.name.startswith("toy-")
    assert Run.open(run.folder).report == run.report
    assert {path.name for path in (run.folder / "slates").iterdir()} == {
        f"{name}.{target}.parquet" for name in ("control", "hybrid") for target in ("items", "tags")
    }
    slates = run.slates("hybrid")
    assert slates.columns == ["query", "rank", "id", "score", "served_by"]
    assert slates.group_by("query").len()["len"].to_list() == [10] * run.report.pipelines["hybrid"].queries
    assert run.lock["config_hash"] == run.report.config_hash
    assert run.lock["data"]["fingerprint"] == run.report.data.fingerprint
    assert run.lock["environment"]["packages"]["toyland"] == "1.5"
    assert run.lock["fits"]["test/full/ease"] == keys(run.report)["ease", "test", "full"]
    (finished,) = events("finished")
    assert finished["folder"] == str(run.folder)


def test_a_run_that_cannot_be_written_leaves_nothing_behind(experiment, monkeypatch):
    def fails(*given):
        raise OSError("the disk is full")

    monkeypatch.setattr(writer, "write_queries", fails)
    with pytest.raises(WriteError, match="the disk is full; nor can it be written elsewhere"):
        hybridrec.run(experiment())
    assert [*Path("runs").iterdir()] == []


def test_a_name_that_is_taken_gets_a_number(tmp_path):
    assert free(tmp_path, "run").name == "run"
    for taken in ("run", "run-1"):
        (tmp_path / taken).mkdir()
    assert free(tmp_path, "run").name == "run-2"


def test_a_folder_is_made_or_refused_with_the_reason(tmp_path, monkeypatch):
    writable(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"below: cannot be made a folder for results \(Not a directory\)"):
        writable(tmp_path / "file" / "below")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(WriteError, match="a: no permission to write results into this folder"):
        writable(tmp_path / "a")


def test_a_report_that_was_added_to_is_whole_and_checked_again(experiment):
    run = hybridrec.run(experiment())
    run.report.notes.append("one more")
    write_report(run)
    assert Run.open(run.folder).report == run.report
