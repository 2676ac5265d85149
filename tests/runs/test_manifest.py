"""No file of a run is read that is not what was written, and a file that is replaced is never between two states."""

from __future__ import annotations

import json

import pytest

from hybridrec import DataError, StoreError
from hybridrec.paths import partial_path
from hybridrec.runs import manifest
from hybridrec.runs.manifest import MANIFEST, checked_file, has_file, replace_file, write_manifest


@pytest.fixture
def run(tmp_path):
    (tmp_path / "slates").mkdir()
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "slates/a.parquet").write_bytes(b"slate")
    write_manifest(tmp_path)
    return tmp_path


def test_files_are_found_as_they_were_written(run):
    assert checked_file(run, "slates/a.parquet").read_bytes() == b"slate"
    assert set(json.loads((run / MANIFEST).read_text())["files"]) == {"report.json", "slates/a.parquet"}
    assert has_file(run, "report.json")
    assert not has_file(run, "report.html")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"slatE", "the checksum differs"), (b"slat", "4 bytes, 5 were written"), (None, "missing")],
)
def test_a_file_that_is_damaged_or_missing_is_named(run, content, message):
    path = run / "slates/a.parquet"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError, match=f"a.parquet.*{message}"):
        checked_file(run, "slates/a.parquet")


def test_a_file_that_nobody_wrote_is_not_read(run):
    (run / "more.json").write_text("{}")
    with pytest.raises(StoreError, match=r"more\.json cannot be read: the manifest\.json of the run does not list it"):
        checked_file(run, "more.json")


@pytest.mark.parametrize("name", ["../x", "slates/../../x", "/etc/passwd", "", "slates/", "a b"])
def test_a_name_that_leads_elsewhere_is_refused_for_reading_and_writing(run, name):
    content = json.loads((run / MANIFEST).read_text())
    content["files"][name] = {"bytes": 1, "blake2b": ""}
    del content["checksum"]  # whoever writes such a name could write the checksum, too
    (run / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(StoreError, match="cannot be the name of a file"):
        checked_file(run, name)
    with pytest.raises(StoreError, match="cannot be the name of a file"):
        replace_file(run, name, lambda path: path.write_text("x"))


def test_a_folder_that_is_a_link_is_not_followed(run, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (run / "maps").symlink_to(outside)
    with pytest.raises(StoreError, match="is a link"):
        replace_file(run, "maps/als.parquet", lambda path: path.write_text("x"))
    assert not list(outside.iterdir())


def test_a_file_is_replaced_with_its_checksum(run):
    replace_file(run, "report.json", lambda path: path.write_text("[1]"))
    replace_file(run, "maps/als.parquet", lambda path: path.write_text("map"))
    assert checked_file(run, "report.json").read_text() == "[1]"
    assert checked_file(run, "maps/als.parquet").read_text() == "map"
    assert "replacing" not in json.loads((run / MANIFEST).read_text())
    assert not list(run.rglob(".*"))


@pytest.mark.parametrize(("ended_at", "content"), [(1, "{}"), (2, "{}"), (3, "{}"), (4, "[1]")])
def test_wherever_a_replacement_is_ended_the_file_is_the_old_or_the_new_one(run, monkeypatch, ended_at, content):
    """It takes four steps: make the file, note it beside the old one, put it in place, forget the old one."""
    steps = []

    def step(do):
        def doing(*arguments):
            steps.append(do)
            if len(steps) == ended_at:
                raise KeyboardInterrupt
            return do(*arguments)

        return doing

    monkeypatch.setattr(manifest, "_write", step(manifest._write))
    rename = type(run).replace

    def put(path, to):
        return step(rename)(path, to) if to == run / "report.json" else rename(path, to)

    monkeypatch.setattr(type(run), "replace", put)
    with pytest.raises(KeyboardInterrupt):
        replace_file(run, "report.json", step(lambda path: path.write_text("[1]")))
    monkeypatch.undo()
    assert len(steps) == ended_at
    assert checked_file(run, "report.json").read_text() == content
    assert not list(run.rglob(".*"))
    replace_file(run, "report.json", lambda path: path.write_text("[2]"))
    assert checked_file(run, "report.json").read_text() == "[2]"


@pytest.mark.parametrize("step", ["_read", "_checksum"])
def test_a_file_that_is_replaced_while_it_is_checked_is_sound(run, monkeypatch, step):
    """A refresh puts another file in its place after the manifest, or the size of the file, was looked at."""
    done = getattr(manifest, step)
    before = json.dumps(["before"])
    replace_file(run, "report.json", lambda path: path.write_text(before))

    def then_replace(path):
        monkeypatch.undo()
        result = done(path)
        replace_file(run, "report.json", lambda path: path.write_text(before.replace("before", "behind")))
        return result if step == "_read" else done(path)

    monkeypatch.setattr(manifest, step, then_replace)
    assert "behind" in checked_file(run, "report.json").read_text()
    (run / "report.json").write_text("damaged")
    with pytest.raises(StoreError, match="damaged"):
        checked_file(run, "report.json")


def test_a_run_without_a_manifest_is_told_from_what_is_no_run(run, tmp_path_factory):
    (run / MANIFEST).unlink()
    with pytest.raises(StoreError, match=r"has no manifest\.json: .* run the experiment again"):
        checked_file(run, "report.json")
    with pytest.raises(DataError, match="is not a run"):
        checked_file(tmp_path_factory.mktemp("empty"), "report.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 1, "files": {"report.json": {"bytes": "x", "blake2b": ""}}}', "cannot be read"),
        ('{"format": 2, "files": {}}', "written in format 2, this version of hybridrec reads 1"),
    ],
)
def test_a_manifest_that_is_something_else_is_refused(run, content, message):
    (run / MANIFEST).write_text(content)
    with pytest.raises(StoreError, match=f"manifest.json.*{message}"):
        checked_file(run, "report.json")


def test_a_damaged_manifest_is_not_blamed_on_the_files_that_it_lists(run):
    content = json.loads((run / MANIFEST).read_text())
    content["files"]["report.json"]["blake2b"] = "0" * 32
    (run / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(StoreError, match=r"manifest\.json: damaged \(the checksum differs\)"):
        checked_file(run, "report.json")


def test_what_a_killed_writer_left_is_removed_by_the_next(run):
    left = run / ".report.json.{}-4194305.01234567".format(partial_path(run).name.split(".")[-2].partition("-")[0])
    left.write_text("half")
    replace_file(run, "report.json", lambda path: path.write_text("new"))
    assert not left.exists()
