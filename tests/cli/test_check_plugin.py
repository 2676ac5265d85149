"""The command `check-plugin`: every check, its reasons for a failure, and the speed."""

import re

import pytest

from hybridrec.registry.discovery import Registry
from hybridrec.testing.runner import classes_of


def test_check_plugin_shows_every_check_and_the_speed(call, toyland):
    status, out, err = call("check-plugin", "popularity")
    assert (status, err) == (0, "")
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
    status, out, err = call("check-plugin", "table", "--set", columns)
    assert (status, err) == (0, "")
    assert "missing files are named" in out
    assert "did you mean 'half_life'" in call("check-plugin", "popularity", "--set", "half_lif=3")[2]
    assert "'popularity' half_life: " in call("check-plugin", "popularity", "--set", "half_life=-1")[2]


@pytest.mark.usefixtures("instant_imports")
def test_what_reorders_is_checked_behind_a_single_column(call):
    status, out, err = call("check-plugin", "mmr")
    assert (status, err) == (0, "")
    assert "failed" not in out


@pytest.mark.usefixtures("instant_imports")
def test_checks_that_have_nothing_to_look_at_are_not_applicable(call):
    assert re.search(r"a set is one number +1 +not applicable", call("check-plugin", "ndcg")[1])
    assert re.search(r"takes up data that grew +1 +not applicable", call("check-plugin", "popularity")[1])
