"""The command `bundle`: one file, from which the other commands recommend."""

from __future__ import annotations

import shutil
from pathlib import Path

import hybridrec


def test_the_file_is_named_like_the_run_and_takes_its_place(call, finished):
    status, out, err = call("bundle", finished)
    assert (status, err) == (0, "")
    assert out == f"{finished.name}.hybridrec\n"
    asked = ("--item", "item 02", "-n", "3")
    from_run = call("recommend", finished, *asked)
    shutil.rmtree(finished)
    shutil.rmtree(".hybridrec")
    assert call("recommend", out.strip(), *asked) == from_run
    status, out, _ = call("similar", out.strip(), "item 02", "--component", "ease", "-n", "4")
    assert status == 0
    assert "Nearest items to" in out


def test_a_bundle_without_users_refuses_them_in_words(call, finished):
    status, out, _ = call("bundle", finished, "-o", "bare.hybridrec", "--no-users")
    assert (status, out) == (0, "bare.hybridrec\n")
    status, out, err = call("recommend", "bare.hybridrec", "--user", "user 03")
    assert (status, out) == (2, "")
    assert err.startswith("error: user 'user 03' cannot be asked for: this bundle was written without users")
    assert call("recommend", "bare.hybridrec", "--item", "item 02")[0] == 0


def test_a_run_that_was_only_evaluated_has_none(call, experiment):
    run = hybridrec.run(experiment())
    status, _, err = call("bundle", run.folder)
    assert status == 2
    assert "was only evaluated: set `refit: all`" in err
    assert not Path(f"{run.folder.name}.hybridrec").exists()


def test_a_run_and_its_page_are_written_alike_by_command_and_code(call, experiment):
    config = experiment(("workers: 2", "refit: all"))
    by_code = hybridrec.run(config, runs="code").folder
    assert call("run", config, "--runs", "command", "--quiet")[0] == 0
    (by_command,) = Path("command").iterdir()
    files = [{path.relative_to(folder).as_posix() for path in folder.rglob("*")} for folder in (by_code, by_command)]
    assert files[0] == files[1]
    assert {"report.html", "manifest.json", "bundle.hybridrec"} <= files[0]
    same = ("bundle.hybridrec", "queries.parquet", "names.parquet", "per_query.parquet", "config.yaml")
    assert all((by_code / name).read_bytes() == (by_command / name).read_bytes() for name in same)
