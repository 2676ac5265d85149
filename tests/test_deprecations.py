"""Old names go on working for a while, each with a note that says what to write instead."""

from __future__ import annotations

import re
import sys
import warnings

import pytest

import hybridrec
from hybridrec import ConfigError, deprecations
from hybridrec.cli import main
from hybridrec.config.load import load_experiment
from hybridrec.deprecations import DeprecationNote, Renamed
from hybridrec.registry.discovery import Registry

OLD = (
    Renamed("name", "Playlist", "Query", "0.2", "0.4"),
    Renamed("component", "closed-form", "ease", "0.2", "0.4"),
    Renamed("metric", "cumulated-gain", "ndcg", "0.2", "0.4"),
    Renamed("key", "pipelines.*.judges", "scorers", "0.2", "0.4"),
    Renamed("key", "compare.against", "control", "0.2", "0.4"),
    Renamed("option", "ease.ridge", "l2", "0.2", "0.4"),
)


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deprecations, "RENAMED", OLD)


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:2]))


@pytest.mark.parametrize("entry", [*deprecations.RENAMED, *OLD], ids=lambda entry: entry.old)
def test_what_is_renamed_goes_later_than_it_was_said_and_has_not_gone_too_long_ago(entry: Renamed):
    assert version(entry.since) < version(entry.removed)
    assert version(hybridrec.__version__) < version(entry.removed), "take the entry out: the old name stops working now"


@pytest.mark.parametrize(
    ("replacement", "told"),
    [
        (("ease: {l2: 5}", "ease: {use: closed-form, l2: 5}"), "the component 'closed-form'"),
        (("ease: {l2: 5}", "ease: {ridge: 5}"), "the option 'ease.ridge'"),
        (("scorers: [pop]", "judges: [pop]"), "the key 'pipelines.*.judges'"),
        (("control: control\n", "against: control\n"), "the key 'compare.against'"),
        (("metrics: [ndcg@5", "metrics: [cumulated-gain@5"), "the metric 'cumulated-gain'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_old_name_means_what_it_meant(experiment, old, replacement, told):
    registry = Registry()
    now = load_experiment(experiment(name="now.yaml"), registry)
    with pytest.warns(DeprecationNote, match=re.escape(told)):
        before = load_experiment(experiment(replacement, name="before.yaml"), registry)
    assert before.components == now.components
    assert before.resolved["pipelines"] == now.resolved["pipelines"]
    assert before.config.compare.control == now.config.compare.control
    assert [aim.key for aim in before.aims] == [aim.key for aim in now.aims]


def test_both_names_at_once_are_refused(experiment, old):
    twice = experiment(("ease: {l2: 5}", "ease: {l2: 5, ridge: 6}"))
    with pytest.warns(DeprecationNote), pytest.raises(ConfigError, match=r"components\.ease\.ridge: unknown key"):
        load_experiment(twice, Registry())


def test_the_command_line_prints_a_note(experiment, old, monkeypatch, capsys):
    path = experiment(("ease: {l2: 5}", "ease: {ridge: 5}"))
    monkeypatch.setattr(sys, "argv", ["hybridrec", "check", str(path)])
    main()
    assert capsys.readouterr().err == (
        "note: the option 'ease.ridge' is deprecated since hybridrec 0.2 and goes in 0.4: write 'l2'\n"
    )


def test_an_old_public_name_is_the_new_one(old):
    with pytest.warns(DeprecationNote, match="the name 'Playlist' .* write 'Query'"):
        assert hybridrec.Playlist is hybridrec.Query  # type: ignore[attr-defined]
    with warnings.catch_warnings(), pytest.raises(AttributeError, match="Nonsense"):
        hybridrec.Nonsense  # type: ignore[attr-defined]  # noqa: B018
