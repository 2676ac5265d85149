"""Names that become paths stay where they belong, and files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from hybridrec import StoreError, WriteError
from hybridrec.paths import (
    Key,
    Name,
    append,
    check_key,
    inside,
    partial_path,
    printable,
    replacing,
    subfolder,
    sweep,
    sync,
    write_whole,
    writing,
)

UNSAFE = ["", ".", "..", "../x", "a/b", "/etc/x", "a\0b", "a\nb", "-x", ".hidden", "a b", "a*", "g[1]", "~", "a\\b"]


@pytest.mark.parametrize("name", UNSAFE)
def test_a_name_that_could_lead_elsewhere_is_refused_where_it_is_read_and_where_a_path_is_made(tmp_path, name):
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(name)
    with pytest.raises(StoreError, match="cannot be the name of a file in it"):
        inside(tmp_path, name)


@pytest.mark.parametrize("name", ["hybrid", "als_2", "v1.2+b", "größe", "곡", "हिन्दी", "e\u0301"])
def test_names_in_any_script_are_names(tmp_path, name):
    assert TypeAdapter(Name).validate_python(name) == name
    assert inside(tmp_path, f"{name}.items.run").parent == tmp_path


def test_a_name_is_short_enough_for_the_files_and_folders_that_bear_it():
    for longest in ("x" * 200, "곡" * 66):
        assert TypeAdapter(Name).validate_python(longest) == longest
        with pytest.raises(ValidationError, match="too long"):
            TypeAdapter(Name).validate_python(f"{longest}{longest[:3]}")


@pytest.mark.parametrize(
    "key", ["../runs", "/etc/passwd", "ab" * 15, "ab" * 17, "AB" * 16, "ab" * 16 + "\n", "", None, 7]
)
def test_only_32_hexadecimal_digits_are_a_key(key):
    with pytest.raises(StoreError, match="32 hexadecimal digits"):
        check_key(key)
    with pytest.raises(ValidationError):
        TypeAdapter(Key).validate_python(key)
    assert check_key("ab" * 16) == TypeAdapter(Key).validate_python("ab" * 16) == "ab" * 16


@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_replaced_and_what_it_points_to_stays(tmp_path, there):
    precious, link = tmp_path / "precious", tmp_path / "link"
    if there:
        precious.write_text("kept")
    link.symlink_to(precious)
    write_whole(link, "größe")
    assert link.read_bytes().decode() == "größe"
    assert not link.is_symlink()
    assert precious.exists() == there
    assert not there or precious.read_text() == "kept"


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail():
        with replacing(path) as file:
            file.write(b"half")
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_new_file_is_never_one_that_is_there_already(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / partial_path(tmp_path / "file").name).symlink_to(precious)
    with pytest.raises(WriteError, match="file cannot be written: File exists"):
        write_whole(tmp_path / "file", "new")
    assert precious.read_text() == "kept"
    assert not (tmp_path / "file").exists()


def test_nothing_but_a_file_is_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(WriteError, match=f"{name} exists and is not a file"):
            write_whole(tmp_path / name, "text")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe"}


def test_a_file_has_the_permissions_of_any_other(tmp_path):
    (tmp_path / "other").write_text("")
    write_whole(tmp_path / "file", "")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_disk_that_may_only_be_read_refuses_what_is_added(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(WriteError, match=r"table cannot be written: .*ead-only"):
        append(tmp_path / "table", "a\n")


def test_text_is_added_to_a_file_but_not_through_a_link(tmp_path):
    append(tmp_path / "table", "a\n")
    append(tmp_path / "table", "ü\n")
    assert (tmp_path / "table").read_bytes().decode() == "a\nü\n"
    (tmp_path / "link").symlink_to(tmp_path / "table")
    with pytest.raises(StoreError, match="is a link"):
        append(tmp_path / "link", "b\n")
    assert (tmp_path / "table").read_bytes().decode() == "a\nü\n"


def test_a_folder_of_results_is_no_link(tmp_path):
    assert subfolder(tmp_path, "trec") == tmp_path / "trec"
    (tmp_path / "trec").mkdir()
    assert subfolder(tmp_path, "trec") == tmp_path / "trec"
    (tmp_path / "link").symlink_to(tmp_path / "trec")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    for name in ("link", "dangling", "file"):
        with pytest.raises(StoreError, match="is a link or a file, not a folder"):
            subfolder(tmp_path, name)


def test_what_an_error_repeats_is_short_and_can_be_printed():
    assert printable("größe") == "'größe'"
    assert printable("a\x1b]0;x\x07") == r"'a\x1b]0;x\x07'"
    assert len(printable("x" * 300)) < 70


def ended():
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_ended_processes_left_is_swept_and_nothing_else(tmp_path):
    own = partial_path(tmp_path / "run")
    killed = own.with_name(own.name.replace(f"-{os.getpid()}.", f"-{ended()}."))
    elsewhere = own.with_name(f".run.00000000-{ended()}.00000000")
    old = own.with_name(f".old.00000000-{os.getpid()}.00000000")
    for path in (own, killed, elsewhere, old, tmp_path / ".git", tmp_path / "run"):
        path.mkdir()
        (path / "file").write_text("x")
    os.utime(old, (0, 0))
    linked = killed.with_name(killed.name.replace(".run.", ".linked."))
    linked.symlink_to(tmp_path / "run")
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {own.name, elsewhere.name, ".git", "run"}
    assert (tmp_path / "run" / "file").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("told", ["[Errno {0}] {1}: 'x'", "{1} (os error {0})"])
def test_a_fault_that_polars_tells_in_words_alone_is_one_of_the_disk(tmp_path, number, told):
    error = OSError(told.format(number, os.strerror(number)))
    with pytest.raises(WriteError, match=os.strerror(number)), writing(tmp_path, faults=True):
        raise error


def test_a_file_is_written_into_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    opened = os.open

    def refused(path, flags, *mode, **more):
        if path == tmp_path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, flags, *mode, **more)

    monkeypatch.setattr(os, "open", refused)
    write_whole(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"


def test_a_folder_that_is_gone_is_not_synced_in_silence(tmp_path):
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "gone")
