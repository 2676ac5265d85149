"""Errors that users see: the nearest name, and the exit status."""

import re

import pytest
from click.testing import CliRunner

from hybridrec import errors
from hybridrec.cli import hybridrec
from hybridrec.errors import HybridrecError, did_you_mean, format_size, unknown_pipeline


@pytest.mark.parametrize(
    ("name", "available", "end"),
    [
        ("esae", ["als", "ease"], "did you mean 'ease'? Available: als, ease"),
        ("EASE", ["als", "ease"], "did you mean 'ease'? Available: als, ease"),
        ("l2", ["L2", "l1x"], "did you mean 'L2'? Available: L2, l1x"),
        ("zzz", {"b", "a"}, "available are a, b"),
        ("zzz", [], "none are available"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_with_all(name, available, end):
    assert did_you_mean(name, available) == end


def test_an_unknown_pipeline_is_answered_likewise():
    assert unknown_pipeline("contrl", ["control", "hybrid"]) == (
        "no pipeline is named 'contrl': did you mean 'control'? Available: control, hybrid"
    )


def test_each_error_ends_the_command_line_with_a_status_that_its_help_explains():
    classes = [
        thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, HybridrecError)
    ]
    told = {
        int(status) for status in re.findall(r"(?<=[ ;])(\d+) [a-z]", CliRunner().invoke(hybridrec, ["--help"]).output)
    }
    assert {cls.exit_status for cls in classes} == {2, 3, 4} <= told
    assert errors.MissingDependencyError.exit_status == 2  # mended by whoever calls, not by the plugin's author


@pytest.mark.parametrize(
    ("size", "told"), [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (2e6, "2.0 MB"), (28e9, "28.0 GB")]
)
def test_a_size_is_told_in_a_unit_in_which_it_is_not_nothing(size, told):
    assert format_size(size) == told
