"""A run folder that somebody sent writes and deletes nothing outside of itself, and is read from itself alone."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

import hybridrec
from hybridrec import CurveFigure, DataError, MapLegend, Query, StoreError
from hybridrec.engine.store import Store
from hybridrec.evaluation.report import figure_report
from hybridrec.runs.bundle import bundle_path
from hybridrec.runs.export_trec import ParquetExporter
from hybridrec.runs.exporter import export
from hybridrec.runs.manifest import replace_file, write_manifest
from hybridrec.runs.run import Run
from hybridrec.runs.writer import write_report
from tests.conftest import CONFIG, TOYLAND

KEY = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that can serve, made once."""
    place = tmp_path_factory.mktemp("finished")
    config = place / "toy.yaml"
    config.write_text(CONFIG.replace("workers: 2", "refit: all"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(TOYLAND))
        return hybridrec.run(config, runs=place / "runs", store=place / "store").folder


@pytest.fixture
def sent(finished, experiment, tmp_path):
    """A copy of it, in the folder of runs of whoever it was sent to."""
    return Path(shutil.copytree(finished, tmp_path / "runs" / finished.name))


def everything(folder: Path) -> dict[str, bytes | None]:
    """The files below a folder, with their contents."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def change(file: Path, edit) -> None:
    """Change a JSON file of a run as somebody would who wants it to be taken for the true one."""
    content = json.loads(file.read_text(encoding="utf-8"))
    edit(content)
    file.write_text(json.dumps(content), encoding="utf-8")
    write_manifest(file.parent)


def refused(call, folder: Path, *arguments) -> str:
    """The one sentence that a command ends with, after which everything is as it was."""
    before = everything(folder)
    status, out, err = call(*arguments)
    assert (status, out) == (4, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    assert len(err) < 400
    assert everything(folder) == before
    return err


@pytest.mark.parametrize("form", ["trec", "parquet", "mpd", "melon"])
@pytest.mark.parametrize("name", ["../pwned", "a/b", "{absolute}", "a\0b", "x" * 300, "..", ""])
def test_a_pipeline_whose_name_is_a_path_is_refused(call, sent, tmp_path, form, name):
    name = name.format(absolute=tmp_path / "victim")

    def rename(report):
        report["pipelines"][name] = report["pipelines"].pop("hybrid")

    for target in ("items", "tags"):
        if len(name) < 200 and "\0" not in name:
            slates = Path(f"{sent / 'slates'}/{name}.{target}.parquet")
            slates.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sent / f"slates/hybrid.{target}.parquet", slates)
    change(sent / "report.json", rename)
    team = ("--set", "team=a", "--set", "email=b") if form == "mpd" else ()
    err = refused(call, tmp_path, "export", sent, "-o", tmp_path / "out", "--format", form, *team)
    assert f"{sent / 'report.json'} cannot be read: pipelines." in err


def test_a_path_is_not_made_of_a_name_that_was_not_checked(sent):
    run = Run.open(sent)
    with pytest.raises(StoreError, match=r"'\.\.' cannot be the name of a file"):
        run.slates("../slates/hybrid")


@pytest.mark.parametrize("key", ["../runs", "/etc/passwd", "", "a\0b", "x" * 300, 7, None, [KEY], KEY.upper()])
def test_a_key_in_the_lock_that_is_a_path_is_refused(sent, key):
    change(sent / "lock.json", lambda lock: lock.update(fits={"test/full/als": key}))
    with pytest.raises(StoreError, match=r"lock\.json cannot be read: fits\.test/full/als: "):
        _ = Run.open(sent).lock


@pytest.mark.parametrize("content", ["", "null", "[]", "7", "{}", "[" * 100_000, '{"fits": [], "serving": 1}', "\xff"])
def test_a_lock_that_is_something_else_is_refused(sent, content):
    (sent / "lock.json").write_text(content, encoding="latin-1")
    write_manifest(sent)
    with pytest.raises(StoreError, match=r"lock\.json cannot be read: "):
        _ = Run.open(sent).lock


@pytest.mark.parametrize("key", ["seed", "threads"])
def test_a_lock_without_what_the_page_shows_is_refused(call, sent, tmp_path, key):
    change(sent / "lock.json", lambda lock: lock.pop(key))
    assert f"lock.json cannot be read: {key}: " in refused(call, tmp_path, "report", sent, "--no-open")


@pytest.mark.parametrize(
    "content",
    ["[]", "data: [1]", "data: {through_items: 3}", "a: [", "a: 2026-99-99", "a: !!int ''", "a: &a [*a]", "7"],
)
def test_a_config_without_data_is_refused(sent, content):
    (sent / "config.yaml").write_text(content, encoding="utf-8")
    write_manifest(sent)
    run = Run.open(sent)
    with pytest.raises(StoreError, match=r"config\.yaml cannot be read: "):
        run.held_out(run.queries()["unit"][0])


@pytest.mark.parametrize("content", ["a: [", "a: !!bool x", "a: &a [*a]"])
def test_runs_are_not_compared_by_a_config_that_cannot_be_read(call, finished, sent, tmp_path, content):
    (sent / "config.yaml").write_text(content, encoding="utf-8")
    write_manifest(sent)
    assert "config.yaml cannot be read: config.yaml:" in refused(call, tmp_path, "compare", finished, sent)


@pytest.mark.parametrize("section", ["comparison", "guardrails"])
def test_a_comparison_of_a_pipeline_that_is_not_there_is_refused(call, sent, tmp_path, section):
    guardrail = {"variant": "hybrid", "metric": "m", "margin": 0, "loss": 0, "bounds": None, "verdict": "held"}

    def rename(report):
        rows = report[section] = report[section] or [guardrail]
        rows[0]["control"] = "nobody"

    change(sent / "report.json", rename)
    err = refused(call, tmp_path, "report", sent, "--no-open")
    assert "it compares 'nobody', which is not among its pipelines" in err


def test_the_fingerprint_of_the_data_is_checked(call, sent, tmp_path):
    change(sent / "report.json", lambda report: report["data"].update(fingerprint="../runs"))
    err = refused(call, tmp_path, "export", sent)
    assert f"{sent / 'report.json'} cannot be read: data.fingerprint: " in err


@pytest.mark.parametrize("content", ["", "null", "{", "[" * 100_000, "\xff", "{}"])
def test_a_report_that_is_something_else_is_refused(call, sent, tmp_path, content):
    (sent / "report.json").write_text(content, encoding="latin-1")
    write_manifest(sent)
    assert f"{sent / 'report.json'} cannot be read: " in refused(call, tmp_path, "report", sent, "--no-open")


def test_learned_weights_that_are_no_mappings_are_refused(call, sent, tmp_path):
    change(sent / "report.json", lambda report: next(iter(report["pipelines"].values()))["learned"].update(test="x"))
    err = refused(call, tmp_path, "report", sent, "--no-open")
    assert f"{sent / 'report.json'} cannot be read: pipelines." in err


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(call, sent, tmp_path):
    for file in ("manifest.json", "bundle.hybridrec", "queries.parquet", "report.json"):
        (sent / file).rename(sent / f"{file}.kept")
        os.mkfifo(sent / file)
        command = ("recommend", sent, "--item", "x") if "bundle" in file else ("export", sent, "-o", tmp_path / "out")
        _, _, err = call(*command)
        assert err.startswith(f"error: {sent / file} cannot be read: it is ")
        (sent / file).unlink()
        (sent / f"{file}.kept").rename(sent / file)


@pytest.mark.parametrize("there", [True, False])
def test_the_page_replaces_a_link_and_does_not_follow_it(call, sent, tmp_path, there):
    victim = tmp_path / "victim"
    if there:
        victim.write_text("kept")
    (sent / "report.html").unlink()
    (sent / "report.html").symlink_to(victim)
    assert call("report", sent, "--no-open") == (0, f"{sent / 'report.html'}\n", "")
    assert not (sent / "report.html").is_symlink()
    assert victim.exists() == there
    assert not there or victim.read_text() == "kept"


def test_an_export_does_not_follow_a_link(call, sent, tmp_path):
    outside, inner = tmp_path / "outside", sent / "parquet"
    outside.mkdir()
    (sent / "trec").symlink_to(outside)
    assert f"{sent / 'trec'} is a link or a file" in refused(call, tmp_path, "export", sent)
    inner.mkdir()
    victim = outside / "victim"
    victim.write_text("kept")
    (inner / "hybrid.items.run.parquet").symlink_to(victim)
    export(ParquetExporter(ParquetExporter.Config()), Run.open(sent), inner)
    assert victim.read_text() == "kept"
    assert pl.read_parquet(inner / "hybrid.items.run.parquet")["run"].unique().to_list() == ["hybrid"]


@pytest.mark.parametrize("file", ["report.json", "manifest.json"])
def test_a_link_among_the_files_of_a_run_is_replaced(sent, tmp_path, file):
    run, victim = Run.open(sent), tmp_path / "victim"
    (sent / file).rename(victim)
    (sent / file).symlink_to(victim)
    before = victim.read_bytes()
    run.report.notes.append("one more")
    write_report(run)
    assert victim.read_bytes() == before
    assert not (sent / file).is_symlink()
    assert Run.open(sent).report.notes[-1] == "one more"


def test_the_report_that_a_run_has_printed_stands_for_the_run(sent):
    assert Run.open(sent / "report.json").folder == sent
    assert bundle_path(sent / "report.json") == bundle_path(sent)
    with pytest.raises(DataError, match="is not a run: it does not exist"):
        Run.open(sent / "nothing" / "report.json")


def test_a_run_in_a_folder_whose_name_is_a_pattern_is_read_from_there(sent, tmp_path):
    others, own = tmp_path / "g1" / "x", tmp_path / "g[1]" / "x"
    for place in (others, own):
        shutil.copytree(sent, place)
    for file in ("per_query", "queries", "names", "slates/hybrid.items"):
        path = own / f"{file}.parquet"
        pl.read_parquet(path, glob=False).with_columns(own=pl.lit(1)).write_parquet(path)
    write_manifest(own)
    run = Run.open(own)
    for read in (run.per_query, run.queries, run.names, lambda: run.slates("hybrid")):
        assert "own" in read().columns
    shutil.rmtree(others)
    assert "own" in run.per_query().columns


def test_the_store_is_not_left(sent, tmp_path):
    store, victim = Store(tmp_path / "store"), tmp_path / "runs"
    before = everything(victim)
    for key in ("../runs", str(victim), "../store/../runs"):
        for act in (
            store.find,
            store.drop,
            store.get,
            store.about,
            lambda key: store.put(key, {}),
            lambda key: key in store,
        ):
            with pytest.raises(StoreError, match="cannot be a key of the store"):
                act(key)
    assert everything(victim) == before
    assert not store.folder.exists()


def test_a_held_out_list_is_asked_by_what_its_query_shows(finished):
    run = Run.open(finished)
    row = run.queries().filter(pl.col("items").list.len() > 0).row(0, named=True)
    (held_out,) = run.held_out(row["unit"])
    entities = {"tags": row["tags"]}
    assert held_out.query == Query(items=row["items"], text=row["text"], time=row["time"], entities=entities)
    assert held_out.query.time is not None
    assert held_out.query.user is None
    assert held_out.hidden == {"items": row["relevant_items"], "tags": row["relevant_tags"]}
    assert held_out.fold == "test"
    with pytest.raises(DataError, match="holds out nobody called 'nobody'; it does user "):
        run.held_out("nobody")


def test_a_further_column_of_the_queries_is_no_kind_of_entities(sent):
    file = sent / "queries.parquet"
    pl.read_parquet(file).with_columns(x=pl.lit(1.5)).write_parquet(file)
    write_manifest(sent)
    run = Run.open(sent)
    (held_out, *_) = run.held_out(run.queries()["unit"][0])
    assert "x" not in held_out.query.entities


def test_held_out_lists_of_many_users_read_the_queries_once(finished, monkeypatch):
    run = Run.open(finished)
    units = run.queries()["unit"].unique().to_list()
    read, reads = Run.queries, []
    monkeypatch.setattr(Run, "queries", lambda run: reads.append(run) or read(run))
    told = [run.held_out(unit) for unit in units]
    assert len(reads) == 1
    assert told == [Run.open(finished).held_out(unit) for unit in units]
    assert run == Run.open(finished)


def test_what_follows_from_items_is_not_said_twice(experiment, tmp_path):
    """Artists that lists have by way of their songs are no part of a query: they would count twice."""
    rows = [f"list {n},song {(n * 3 + place) % 12}" for n in range(20) for place in range(6)]
    (tmp_path / "plays.csv").write_text("\n".join(["list,song", *rows]), encoding="utf-8")
    artists = [f"song {n},artist {n % 3}" for n in range(12)]
    (tmp_path / "artists.csv").write_text("\n".join(["song,artist", *artists]), encoding="utf-8")
    data = """{reader: table, interactions: {path: plays.csv, user: list, item: song},
      item_has: {artists: {path: artists.csv, item: song, id: artist}}, through_items: [artists]}"""
    run = hybridrec.run(experiment(("{reader: toy}", data), (", tags: 5", ""), (", tags/ndcg@5", "")))
    row = run.queries().filter(pl.col("items").list.len() > 0).row(0, named=True)
    assert row["artists"]
    assert run.held_out(row["unit"])[0].query == Query(items=row["items"])


def test_a_map_is_a_file_of_the_run_unless_its_label_leads_elsewhere(sent, tmp_path):
    run = Run.open(sent)
    frame = pl.DataFrame({"id": ["a"], "name": ["A"], "count": [1], "x": [0.5], "y": [0.5], "group": [0]})
    legend = MapLegend(colours="clusters", groups=["first"], of=3, space="digest")
    figure = CurveFigure("c", "x", "y", [(1, 2)])
    path = run.add_map("als", frame, legend, [figure])
    assert run.maps == ["als"]
    read, back = run.item_map("als")
    assert read.equals(frame)
    assert back == legend.model_copy(update={"figures": [figure_report(figure)]})
    before = everything(tmp_path)
    with pytest.raises(StoreError, match="cannot be the name of a file"):
        run.add_map("../../als", frame, legend)
    with pytest.raises(StoreError, match="cannot be the name of a file"):
        run.item_map("../../als")
    assert everything(tmp_path) == before
    assert path == sent / "maps/als.parquet"


def test_a_map_that_does_not_fit_its_legend_is_refused(sent):
    run = Run.open(sent)
    frame = pl.DataFrame({"id": ["a"], "name": ["A"], "count": [1], "x": [0.5], "y": [0.5], "group": [1]})
    legend = MapLegend(colours="clusters", groups=["first"], of=3)
    with pytest.raises(StoreError, match=r"als\.parquet cannot be read: .* does not list it"):
        run.item_map("als")
    for wrong in (frame, frame.drop("y").with_columns(group=0), frame.with_columns(group=-2)):
        run.add_map("als", wrong, legend)
        with pytest.raises(StoreError, match="do not fit its legend"):
            run.item_map("als")
    replace_file(run.folder, "maps/als.parquet", frame.write_parquet)
    with pytest.raises(StoreError, match="not a map of this version: draw it again"):
        run.item_map("als")


def test_a_panic_of_polars_is_an_error_of_the_file(sent, monkeypatch):
    def panic(*_, **__):
        raise pl.exceptions.PanicException("odd")

    monkeypatch.setattr(pl, "read_parquet", panic)
    with pytest.raises(StoreError, match=r"per_query\.parquet cannot be read: odd"):
        Run.open(sent).per_query()
