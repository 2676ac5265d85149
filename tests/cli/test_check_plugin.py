"""The command `check-plugin`: every check, its reasons for a failure, and the speed."""

import re

import pytest

from hybridrec.registry.discovery import Registry
from hybridrec.testing.runner import classes_of


def test_check_plugin_shows_every_check_and_the_speed(call, toyland):
    status, out, err = call("check-plugin", "popularity")
    assert status == 0
    assert all(re.fullmatch(r"popularity: [a-z ]+ \.\.\. \d+\.\d s", line) for line in err.splitlines())
    assert err.count("batch and one by one agree") == 1
    rows = {line[:30].strip(): line for line in out.splitlines()}
    assert "passed" in rows["batch and one by one agree"]
    assert "10,000 queries" in out
    assert [line.split()[0] for line in out.splitlines()[-2:]] == ["popularity", "constant"]


@pytest.mark.usefixtures("instant_imports")
def test_check_plugin_names_what_failed(call, install_fakes):
    install_fakes("nan_scores")
    status, out, err = call("check-plugin", "nan_scores", "--verbose")
    assert status == 3
    assert "checks failed: nan-scores: candidates_are_well_formed" in err
    (row,) = [row for row in out.splitlines() if row.startswith("candidates_are_well_formed") and ", ten" in row]
    assert "failed" in row
    assert "an id of query 0 has the score nan" in row


@pytest.mark.usefixtures("instant_imports")
def test_checks_that_fail_for_one_reason_share_a_row(call, install_fakes):
    install_fakes("nan_scores")
    status, out, err = call("check-plugin", "nan_scores")
    assert status == 3
    assert out.count("an id of query 0 has the score nan") == 1
    assert re.search(r"candidates_are_well_formed \(and \d+ for the same reason\)", err)


@pytest.mark.usefixtures("instant_imports")
def test_check_plugin_says_what_it_cannot_check(call, toyland):
    status, out, err = call("check-plugin", "homeless")
    assert (status, out) == (2, "")
    assert "nothing was checked: 'homeless' needs no_such_library, not installed here. pip install" in err
    assert "'table' has no default for interactions; give --set interactions=" in call("check-plugin", "table")[2]
    status, _, err = call("check-plugin", "nobody")
    assert status == 2
    assert "no plugin, class or command is called 'nobody'" in err
    assert "not checked: 'homeless' needs no_such_library" in call("check-plugin", "toyland")[1]


def test_a_plugin_is_checked_as_a_whole_also_where_one_of_its_classes_has_its_name(toyland, monkeypatch):
    registry = Registry()
    (toys,) = [provider for provider in registry.providers if provider.name == "toyland"]
    monkeypatch.setattr(toys, "name", "toy")
    assert {cls.name for cls in classes_of("toy", registry)} >= {"toy", "echo"}


@pytest.mark.usefixtures("instant_imports")
def test_options_without_a_default_are_given_on_the_command_line(call, tmp_path):
    (tmp_path / "plays.csv").write_text("user,item\nann,rain\nben,rain\n", encoding="utf-8")
    columns = f"interactions={{path: {tmp_path}/plays.csv, user: user, item: item}}"
    status, out, _ = call("check-plugin", "table", "--set", columns)
    assert status == 0
    assert "missing files are named" in out
    assert "did you mean 'half_life'" in call("check-plugin", "popularity", "--set", "half_lif=3")[2]
    assert "'popularity' half_life: " in call("check-plugin", "popularity", "--set", "half_life=-1")[2]


@pytest.mark.usefixtures("instant_imports")
def test_what_reorders_is_checked_behind_a_single_column(call):
    status, out, _ = call("check-plugin", "mmr")
    assert status == 0
    assert "failed" not in out


@pytest.mark.usefixtures("instant_imports")
def test_checks_that_have_nothing_to_look_at_are_not_applicable(call):
    assert re.search(r"a set is one number +1 +not applicable", call("check-plugin", "ndcg")[1])
    assert re.search(r"takes up data that grew +1 +not applicable", call("check-plugin", "popularity")[1])


def test_imports_of_what_is_not_public_are_told_with_file_line_and_the_right_name(call, install_fakes):
    install_fakes("private_imports")
    status, out, err = call("check-plugin", "private_imports")
    assert status == 3
    name, advice = "hybridrec.stages.candidates.Candidates", "write `from hybridrec import Candidates`"
    assert f"imports of what is not public:\nprivate_imports_plugin.py:3: {name} is not public: {advice}\n" in out
    assert "its source: imports_public_names_only" in err


def test_memory_is_held_against_what_a_fit_takes(call, install_fakes):
    install_fakes("hungry")
    status, out, err = call("check-plugin", "hungry")
    assert status == 3
    assert re.search(r"memory is as estimated +1 +failed +`fit` took 2\d\d MB, and `memory` says 0 MB", out)
    assert "memory_is_as_estimated" in err


def test_a_class_declares_options_and_data_for_its_checks(call, install_fakes):
    """Without them `path` would have to be given, and 40 items would be too few for what it proposes."""
    install_fakes("declares_checks")
    _, out, _ = call("check-plugin", "declares_checks", "--verbose")
    rows = [line for line in out.splitlines() if line.startswith("candidates_are_well_formed")]
    assert [re.search(r'"path": "(\w)', row)[1] for row in rows] == ["a"] * 3 + ["b"] * 3
    assert all(" passed" in row for row in rows)
    again = call("check-plugin", "declares_checks", "--set", "path=c", "--verbose")[1]
    assert again.count("candidates_are_well_formed") == 3
