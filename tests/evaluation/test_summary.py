"""The verdict of a report: its opening sentence, its table, and the notebook that shows both."""

from __future__ import annotations

from html import escape
from types import SimpleNamespace

import pytest

import hybridrec
from hybridrec.evaluation.report import (
    Comparison,
    DataReport,
    Environment,
    Guardrail,
    MetricReport,
    PipelineReport,
    RepeatsReport,
    Report,
    SecondsReport,
    SeedSplit,
    StatisticsReport,
)
from hybridrec.evaluation.summary import html, opening, verdict_table, winner


def pipeline(mean: float, **fields) -> PipelineReport:
    return PipelineReport(queries=9, units=9, metrics={"m": MetricReport(mean=mean)}, segments={}, **fields)


def comparison(variant: str, control: str, verdict: str, relative: float = 0.04, segment: str = "all", **fields):
    return Comparison(
        control=control, variant=variant, metric="m", segment=segment, verdict=verdict, units=90,
        delta=relative / 4, ci95=(relative / 4 - 0.01, relative / 4 + 0.01),
        relative=relative, relative_ci95=(relative - 0.01, relative + 0.01),
        p_value=0.01, p_adjusted=0.02, family=3, wins=50, ties=10, losses=30, **fields,
    )  # fmt: skip


def report(*rows: Comparison, lower_is_better=(), **fields) -> Report:
    """Pipelines of rising means: control .1, blend .4, other .3, ease .35 and pop .1 alone."""
    return Report(
        name="test",
        config_hash="abc",
        data=DataReport(fingerprint="f" * 32, users=1, items=2, entities={"tags": 3}, interactions=4),
        pipelines={
            "control": pipeline(0.1),
            "blend": pipeline(0.4),
            "other": pipeline(0.3),
            "ease": pipeline(0.35, single=True),
            "pop": pipeline(0.1, single=True),
        }
        | fields.pop("pipelines", {}),
        comparison=list(rows),
        statistics=StatisticsReport(resamples=500, correction="Holm", lower_is_better=list(lower_is_better)),
        seconds=SecondsReport(total=2.0),
        environment=Environment.current([]),
        **fields,
    )


def test_the_winner_is_named_with_its_gains_and_the_segments_where_it_does_not_win():
    told = opening(
        report(
            comparison("blend", "control", "better", 0.06),
            comparison("blend", "control", "better", segment="items"),
            comparison("blend", "control", "undecided", segment="items+tags"),
            comparison("blend", "control", "worse", segment="title"),
            comparison("blend", "pop", "better", 0.5),
            comparison("blend", "ease", "better", 0.03),
        )
    )
    assert told == (
        "In m, blend beats control by +6.0 % (95 % interval +5.0 % ... +7.0 %), and it beats ease, the best single "
        "component, by +3.0 % (95 % interval +2.0 % ... +4.0 %); not for queries that know items and tags (undecided) "
        "or title (worse)."
    )


@pytest.mark.parametrize(
    ("verdict", "clause"),
    [
        ("worse", ", but it loses to ease, the best single component: -2.0 % ("),
        ("undecided", ", but it is undecided against ease, the best single component: -2.0 % ("),
        ("equivalent within the margin", ", but it is equivalent within the margin to ease, the best single comp"),
    ],
)
def test_a_winner_that_does_not_beat_the_best_single_component_says_so(verdict, clause):
    rows = comparison("blend", "control", "better", 0.06), comparison("blend", "ease", verdict, -0.02)
    assert clause in opening(report(*rows))


def test_nothing_is_decided():
    told = opening(report(comparison("blend", "control", "undecided", 0.02, units_to_decide=2300)))
    assert told == (
        "In m, nothing is decided between blend and control: +2.0 % (95 % interval +1.0 % ... +3.0 %; about 2,300 "
        "users would decide)."
    )


def test_an_undecided_comparison_names_the_segments_that_are_decided():
    rows = (comparison("blend", "control", verdict, 0.02, segment)
            for verdict, segment in (("undecided", "all"), ("undecided", "items"), ("worse", "title")))  # fmt: skip
    assert opening(report(*rows)).endswith("; otherwise for queries that know title (worse).")


def test_of_several_winners_the_best_is_the_subject():
    rows = comparison("other", "control", "better", 0.02), comparison("blend", "control", "better", 0.06)
    assert opening(report(*rows)).startswith(
        "In m, blend, the best of 2 variants that beat their control, beats control by +6.0 % ("
    )
    assert opening(report(*rows, lower_is_better=["m"])).startswith("In m, other, the best of 2 ")


def test_a_winner_goes_before_a_better_mean_that_is_undecided():
    rows = comparison("blend", "control", "undecided", 0.08), comparison("other", "control", "better", 0.06)
    assert opening(report(*rows)).startswith("In m, other beats control by +6.0 % (")


def test_where_all_variants_lose_the_best_of_them_is_named():
    rows = comparison("other", "control", "worse", -0.06), comparison("blend", "control", "worse", -0.02)
    assert opening(report(*rows)).startswith("In m, blend, the best of 2 variants, loses to control: -2.0 % (")


def test_a_control_that_is_the_best_single_component_is_called_so():
    told = opening(
        report(
            comparison("blend", "control", "better", 0.06),
            comparison("blend", "pop", "better", 0.2),
            pipelines={"ease": pipeline(0.35, single=True, duplicate_of="control")},
        )
    )
    assert told.startswith("In m, blend beats control, the best single component, by +6.0 % (")
    assert "pop" not in told


def test_without_a_control_the_best_single_component_takes_its_place():
    rows = comparison("blend", "pop", "better", 0.5), comparison("blend", "ease", "better", 0.03)
    assert opening(report(*rows)).startswith("In m, blend beats ease, the best single component, by +3.0 % (")


def test_a_variant_that_is_the_best_single_component_is_compared_with_the_next():
    rows = comparison("blend", "pop", "better", 0.5), comparison("blend", "next", "better", 0.1)
    singles = {"ease": pipeline(0.4, single=True, duplicate_of="blend"), "next": pipeline(0.2, single=True)}
    assert opening(report(*rows, pipelines=singles)).startswith("In m, blend beats next by +10.0 % (")


def test_a_control_that_the_winner_does_not_beat_is_named():
    rows = comparison("blend", "control", "better", 0.5), comparison("blend", "other", "undecided", 0.01)
    assert "), but it is undecided against other: +1.0 % (" in opening(report(*rows))


def test_a_control_of_mean_zero_gives_an_absolute_gain():
    row = comparison("blend", "control", "better").model_copy(update={"relative": None, "relative_ci95": None})
    assert "beats control by +0.0100 (95 % interval +0.0000 ... +0.0200)" in opening(report(row))


def test_a_winner_in_every_segment_is_told_apart_from_one_segment():
    rows = [comparison("blend", "control", "better", segment=segment) for segment in ("all", "items", "tags")]
    assert opening(report(*rows)).endswith("; it wins in every segment.")
    assert opening(report(*rows[:2])).endswith("%).")


def test_a_broken_guardrail_is_named():
    rail = Guardrail(
        control="control", variant="blend", metric="coverage@5", margin=0.1, loss=0.5, bounds=(0.4, 0.6),
        verdict="broken",
    )  # fmt: skip
    told = report(comparison("blend", "control", "better"), guardrails=[rail])
    assert opening(told).endswith("; it breaks the guardrail coverage@5.")
    headers, (cells,) = verdict_table(told)
    assert cells[headers.index("guardrails")] == "broken: coverage@5"


def test_without_comparisons_the_sentence_gives_the_reason():
    told = report()
    assert opening(told) == "Nothing was compared: the config declares no control."
    alone = told.model_copy(update={"pipelines": {"control": told.pipelines["control"]}})
    assert opening(alone) == "Nothing was compared: the config has a single pipeline."


def test_the_table_has_a_row_for_each_deciding_comparison_and_no_empty_column():
    rows = comparison("blend", "control", "better", 0.06), comparison("blend", "ease", "undecided", -0.02)
    segment = comparison("blend", "control", "worse", segment="title")
    headers, cells = verdict_table(report(*rows, segment))
    assert headers == [
        "variant", "against", "verdict", "relative", "95 % interval", "difference", "p (Holm)", "wins", "ties",
        "losses",
    ]  # fmt: skip
    assert cells == [
        ["blend", "control", "better", "+6.0 %", "+5.0 % ... +7.0 %", "+0.0150", "0.0200", "50", "10", "30"],
        ["blend", "ease", "undecided", "-2.0 %", "-3.0 % ... -1.0 %", "-0.0050", "0.0200", "50", "10", "30"],
    ]


def test_the_table_shows_the_users_that_would_decide_and_the_part_of_seeds():
    split = SeedSplit(control="control", variant="blend", metric="m", delta=0.1, ci95=(0.05, 0.15), seeds_share=0.25)
    repeats = RepeatsReport(repeats=2, retrained=[], arms={}, comparison=[split])
    row = comparison("blend", "control", "undecided", units_to_decide=2300)
    headers, (cells,) = verdict_table(report(row, repeats=repeats))
    shown = SimpleNamespace(**{header.replace(" ", "_"): text for header, text in zip(headers, cells, strict=True)})
    assert shown.users_to_decide == "2,300"
    assert shown.new_users_and_seeds == "+0.0500 ... +0.1500, 25 % from seeds"


def test_a_notebook_shows_the_sentence_and_both_tables(experiment):
    run = hybridrec.run(experiment())
    shown = run._repr_html_()
    assert shown.startswith(f"<p><strong>{escape(opening(run.report))}</strong></p>")
    assert shown.count("<table>") == 2
    assert shown.index("<th>against</th>") < shown.index("<th>ndcg@5</th>")
    assert "<td>hybrid</td>" in shown


def test_what_people_wrote_is_no_markup(experiment):
    report = hybridrec.run(experiment()).report
    report = report.model_copy(update={"name": "<script>", "notes": ["<img src=x>"]})
    assert "&lt;script&gt;" in html(report)
    assert "<img" not in html(report)


@pytest.mark.parametrize(
    ("verdicts", "broken", "served"),
    [
        ({"blend": "better", "other": "better"}, (), "blend"),
        ({"blend": "undecided", "other": "better"}, (), "other"),
        ({"blend": "better", "other": "better"}, ("blend",), "other"),
        ({"blend": "better", "other": "worse"}, ("blend",), "control"),
        ({"blend": "equivalent within the margin", "other": "not tested"}, (), "control"),
    ],
)
def test_the_best_that_beats_the_control_and_breaks_no_guardrail_is_served(verdicts, broken, served):
    rows = [comparison(variant, "control", verdict) for variant, verdict in verdicts.items()]
    alone = [comparison(variant, "ease", "better") for variant in verdicts]  # gains over a component serve nobody
    rails = [
        Guardrail(control="control", variant=name, metric="coverage@5", margin=0.1, loss=0.3, bounds=(0.2, 0.4),
                  verdict="broken" if name in broken else "undecided")
        for name in verdicts
    ]  # fmt: skip
    assert winner(report(*rows, *alone, guardrails=rails)) == served


def test_without_a_control_the_best_mean_is_served_though_a_component_alone_is_better():
    assert winner(report()) == "blend"
    assert winner(report(comparison("blend", "ease", "worse"), comparison("other", "ease", "worse"))) == "blend"
    assert winner(report(pipelines={"ease": pipeline(0.9, single=True)})) == "blend"
