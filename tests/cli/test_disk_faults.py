"""Disks that are full, read-only or occupied: a sentence with the path, status 4, and nothing whole is lost."""

import builtins
import errno
import os
import resource
import subprocess
from pathlib import Path

import pytest

import hybridrec
from hybridrec import Run, WriteError
from tests.cli.processes import command, environment


@pytest.fixture
def shell(experiment, toyland, tmp_path):
    """A function that carries out a command whose files may have so many bytes, and returns its status and errors."""

    def carry_out(*arguments, most=None, output=subprocess.DEVNULL):
        limit = None if most is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        process = subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env=environment(toyland),
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limit,
            check=False,
        )
        return process.returncode, process.stderr

    return carry_out


@pytest.fixture
def full(monkeypatch):
    """A function after which files with such a path cannot be written to the disk: it is full."""

    def fill(path):
        def refuse(descriptor):
            if path in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", refuse)

    return fill


def test_files_that_may_not_grow_end_a_run_with_a_sentence_and_the_next_goes_on(shell, experiment, tmp_path):
    path = experiment(("workers: 2", "refit: all"))
    status, err = shell("run", path, "--quiet", most=1000)
    assert (status, err.count("Traceback")) == (4, 0)
    assert ".hybridrec/store cannot be written: File too large; what was stored before is kept" in err
    assert not list(tmp_path.glob(".hybridrec/store/??/.*"))
    assert shell("run", path, "--quiet")[0] == 0
    status, err = shell("export", next(tmp_path.glob("runs/toy-*")), "-o", "out", "--format", "parquet", most=100)
    assert (status, err[:11]) == (4, "error: out/"), err
    assert "cannot be written: File too large" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [["--help"], ["runs"], ["plugins"], ["show", "als"], ["completion", "bash"]])
def test_an_output_that_is_full_is_a_sentence(shell, experiment, arguments):
    hybridrec.run(experiment())
    with Path("/dev/full").open("w") as output:
        status, err = shell(*arguments, output=output)
    assert (status, err) == (4, "error: the output: No space left on device\n")


def test_what_was_measured_is_written_elsewhere_where_the_disk_is_full(call, experiment, full, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "spare"))
    (tmp_path / "spare").mkdir()
    path = experiment()
    full("runs/.toy")
    status, out, err = call("run", path)
    assert status == 4
    assert "In ndcg@5, " in out
    assert "cannot be written: No space left on device; the run is whole in " in err
    (saved,) = (tmp_path / "spare").glob("*/toy-*")
    assert str(saved) in err
    assert Run.open(saved).per_query().height > 0
    assert (saved / "report.html").exists()
    assert list(Path("runs").iterdir()) == []


def test_what_was_measured_is_at_least_printed_where_no_disk_takes_it(call, experiment, full):
    path = experiment()
    full("toy-")
    status, out, err = call("run", path)
    assert status == 4
    assert "In ndcg@5, " in out
    assert "nor can it be written elsewhere" in err
    assert "what was fitted is in the store" in err
    with pytest.raises(WriteError) as raised:
        hybridrec.run(path)
    assert all(fit.cached for fit in raised.value.report.fits)


def test_a_page_that_cannot_be_written_loses_no_run(call, experiment, full):
    path = experiment()
    full("report.html")
    status, out, err = call("run", path)
    (run,) = Path("runs").glob("toy-*")
    assert status == 4
    assert f"report.html cannot be written: No space left on device; what was measured is in {run}" in err
    assert Run.open(run).report.pipelines
    assert sorted(path.name for path in run.iterdir() if path.name.startswith(".")) == []
    assert "In ndcg@5, " in out


@pytest.fixture
def read_only(monkeypatch):
    """A function after which the system writes nothing below a folder."""

    def protect(folder):
        opened, file_opened, mkdir = os.open, open, os.mkdir

        def refuse(path, *mode, **options):
            if str(folder) in str(path) and (not mode or mode[0] & os.O_CREAT):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return opened(path, *mode, **options)

        def refuse_file(path, mode="r", *rest, **options):
            if str(folder) in str(path) and set(mode) & {*"wxa+"}:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return file_opened(path, mode, *rest, **options)

        def refuse_folder(path, *mode, **options):
            if str(folder) in str(path):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            mkdir(path, *mode, **options)

        monkeypatch.setattr(os, "open", refuse)
        monkeypatch.setattr(builtins, "open", refuse_file)
        monkeypatch.setattr(os, "mkdir", refuse_folder)

    return protect


def test_read_only_folders_are_named_by_every_command_that_writes(call, experiment, read_only, tmp_path):
    finished = hybridrec.run(experiment(("workers: 2", "refit: all"))).folder
    (tmp_path / "plays.csv").write_text("user,item\n" + "".join(f"u{n % 9},i{n % 13}\n" for n in range(300)))
    there = tmp_path / "there"
    there.mkdir()
    read_only(there)
    for arguments in (
        ["run", "toy.yaml", "--runs", there / "runs"],
        ["export", finished, "-o", there / "out"],
        ["bundle", finished, "-o", there / "b.hybridrec"],
        ["new-plugin", "mine", "--kind", "metric", "--path", there],
        ["init", tmp_path / "plays.csv", "-o", there / "mine.yaml"],
    ):
        status, _, err = call(*arguments)
        assert status == 4, (arguments, err)
        assert str(there) in err
        assert "Read-only file system" in err
    assert list(there.iterdir()) == []


def test_a_folder_in_the_place_of_a_file_and_a_file_in_that_of_a_folder_are_named(call, experiment, tmp_path):
    finished = hybridrec.run(experiment(("workers: 2", "refit: all"))).folder
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for arguments in (
        ["bundle", finished, "-o", "folder"],
        ["export", finished, "-o", "file/out"],
        ["run", "toy.yaml", "--runs", "file"],
        ["run", "toy.yaml", "--store", "file"],
    ):
        status, _, err = call(*arguments)
        assert (status, "Traceback" in err) == (4, False), arguments
        assert f"error: {arguments[-1]}" in err
