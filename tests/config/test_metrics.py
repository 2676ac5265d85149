"""The section `compare`: metrics with targets and cut-offs, sums of them, guardrails, and the control."""

import json

import jsonschema
import pytest
import yaml

import hybridrec
from hybridrec.config.json_schema import experiment_schema
from hybridrec.config.load import load_experiment
from hybridrec.config.metrics import metric_spec
from hybridrec.config.resolve import Checker
from hybridrec.config.yaml_document import load
from hybridrec.errors import ConfigError, DataError
from hybridrec.registry.describe import describe
from hybridrec.registry.discovery import Registry

REFUSED = {
    "metric": ([("[ndcg@5, ", "[recall@5, ncdg@5, ")], "19: compare.metrics[1]: unknown metric 'ncdg': did you "
               "mean 'ndcg'?"),
    "cut-off": ([("[ndcg@5, ", "[ndcg, ")], "19: compare.metrics[0]: metric 'ndcg': the cut-off is missing"),
    "control": ([("control: control\n", "control: contrl\n")], "18: compare.control: no pipeline is named "
                "'contrl': did you mean 'control'?"),
    "cut-off beyond the slate": ([("[ndcg@5", "[ndcg@11")], "19: compare.metrics[0]: 'ndcg@11' looks further "
                                 "than the slate: targets.items is 10"),
    "cut-off beyond the slate of tags": ([("tags/ndcg@5", "tags/ndcg@6")], "19: compare.metrics[1]: "
                                         "'tags/ndcg@6' looks further than the slate: targets.tags is 5"),
    "metric of a missing target": ([(", tags: 5", "")], "19: compare.metrics[1]: 'tags/ndcg@5' needs the "
                                   "target 'tags'"),
    "metric twice": ([("[ndcg@5,", "[ndcg@5, ndcg@5,")], "19: compare.metrics[1]: 'ndcg@5' is listed twice"),
    "combined but not listed": ([("  resamples", "  combined: {both: {ndcg@5: 1}}\n  resamples")],
                                "20: compare.combined.both: `metrics` does not list 'both'"),
    "a part of a combined metric": ([("[ndcg@5,", "[both, ndcg@5,"),
                                     ("  resamples", "  combined: {both: {coverage@5: 1}}\n  resamples")],
                                    "20: compare.combined.both.coverage@5: 'coverage@5' is one number of the whole"),
    "metric twice in borda": ([("  resamples", "  borda: [ndcg@5, ndcg@5]\n  resamples")],
                              "20: compare.borda[1]: 'ndcg@5' is listed twice"),
    "metric in borda without its cut-off": ([("  resamples", "  borda: [map]\n  resamples")],
                                            "20: compare.borda[0]: metric 'map': the cut-off is missing"),
    "guardrails without a control": ([("  control: control\n", "  guardrails: {ndcg@5: 0.1}\n")],
                                     "18: compare.guardrails: guardrails are held against a control; name it"),
    "a sum of more and less is better": ([("[ndcg@5,", "[both, ndcg@5,"),
                                          ("  resamples", "  combined: {both: {ndcg@5: 1, calibration-error@5: 1}}\n"
                                           "  resamples")],
                                         "20: compare.combined.both: of one of these metrics less is better"),
    "another spelling in a sum": ([("[ndcg@5,", "[both, ndcg@5,"),
                                   ("  resamples", "  combined: {both: {ndcg@05: 1}}\n  resamples")],
                                  "20: compare.combined.both.ndcg@05: write 'ndcg@5', as in reports"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_measured_is_told_before_any_fit(refused, case):
    replacements, wanted = REFUSED[case]
    assert refused(*replacements).startswith(wanted)


def test_parts_of_sums_and_guardrails_are_measured_after_what_is_listed(experiment):
    """A metric is measured once, however often it is named."""
    path = experiment(
        ("[ndcg@5, tags/ndcg@5]", "[both, ndcg@5, tags/ndcg@5]"),
        ("  resamples", "  combined: {both: {recall@5: 1, ndcg@5: 2}}\n  guardrails: {coverage@5: 0.1, recall@5: 0.1, "
         "latency: 0.5}\n  borda: [map@3, both]\n  resamples"),
    )  # fmt: skip
    checked = load_experiment(path, Registry())
    assert [spec.key for spec in checked.metric_specs] == ["ndcg@5", "tags/ndcg@5", "recall@5", "map@3", "coverage@5"]
    assert checked.metrics == ["both", "ndcg@5", "tags/ndcg@5", "recall@5", "map@3", "coverage@5"]


def test_the_prefix_of_a_metric_is_its_target(experiment):
    path = experiment()
    checker, config = Checker(load(path), Registry(), path.parent), load_experiment(path, Registry()).config
    spec = metric_spec(checker, "tags/recall@3", config, ("tune", "metric"))
    assert (spec.target, spec.measure.k, spec.key) == ("tags", 3, "tags/recall@3")
    with pytest.raises(ConfigError, match=r"tune\.metric: 'recall@11' looks further than the slate"):
        metric_spec(checker, "recall@11", config, ("tune", "metric"))


METRICS = "[ndcg@5, tags/ndcg@5]"
GRADED = "{use: ndcg, gain: linear, at: 5}"
MIXED = f"[ndcg@5, {GRADED}, {{use: revenue, price: price, at: 5, as: cost@5}}, {{use: tags/recall, at: 3}}]"


@pytest.fixture
def loaded(experiment):
    """The checked experiment with these metrics, and more pieces of text replaced."""

    def made(metrics, *replacements):
        return load_experiment(experiment((METRICS, metrics), *replacements), Registry())

    return made


def test_metrics_with_options_stand_beside_text_under_readable_names(loaded):
    experiment = loaded(MIXED)
    assert experiment.metrics == ["ndcg@5", "ndcg[gain=linear]@5", "cost@5", "tags/recall@3"]
    plain, graded, cost, recall = (spec.measure for spec in experiment.metric_specs)
    assert (plain.metric.config.gain, graded.metric.config.gain) == ("binary", "linear")
    assert (cost.metric.config.price, cost.k) == ("price", 5)
    assert recall.k == 3


def test_they_may_decide_be_added_up_held_and_tuned(loaded):
    experiment = loaded(
        f"[{{use: revenue, at: 5, as: earned}}, both, {GRADED}]",
        ("  control: control", "  control: control\n  borda: [earned]\n  guardrails: {earned: 0.1}\n"
                               "  combined: {both: {earned: 1, 'ndcg[gain=linear]@5': 2}}"),
        ("workers: 2", "workers: 2\ntune:\n  pipeline: hybrid\n  space: {components.ease.l2: [5, 9]}\n"
                       "  subject_to: ['ndcg[gain=linear]@5 >= 0.1']"),
    )  # fmt: skip
    assert experiment.metrics == ["earned", "both", "ndcg[gain=linear]@5"]
    assert experiment.tuning.metric_spec.key == "earned"
    (bound,) = experiment.tuning.bounds
    assert bound.metric_spec.measure.metric.config.gain == "linear"


def test_the_resolved_config_has_every_option_and_is_the_same_experiment(loaded, tmp_path):
    first = loaded("[ndcg@5, {use: ndcg, gain: linear, at: 5}, {use: revenue, at: 4}]")
    assert first.resolved["compare"]["metrics"] == [
        "ndcg@5",
        {"use": "ndcg", "at": 5, "gain": "linear"},
        {"use": "revenue", "at": 4},
    ]
    again = tmp_path / "config.yaml"
    again.write_text(yaml.safe_dump(first.resolved, sort_keys=False), encoding="utf-8")
    second = load_experiment(again, Registry())
    assert second.resolved == first.resolved
    assert second.metrics == first.metrics
    assert loaded("[ndcg@5, {use: ndcg, gain: exponential, at: 5}, {use: revenue, at: 4}]").hash != first.hash


REFUSED_OPTIONS = {
    "unknown option": ("{use: ndcg, gian: linear, at: 5}", "[1].gian: unknown key: did you mean 'gain'?"),
    "wrong value": ("{use: ndcg, gain: square, at: 5}", "[1].gain: Input should be 'binary', 'linear' or"),
    "unknown metric": ("{use: ncdg, at: 5}", "[1].use: unknown metric 'ncdg'"),
    "no cut-off": ("{use: ndcg}", "[1]: metric 'ndcg': the cut-off is missing; add for example `at: 10`"),
    "cut-off of one without": ("{use: r-precision, at: 5}", "[1].at: metric 'r-precision' takes no cut-off"),
    "cut-off in the name": ("{use: ndcg@5, at: 5}", "[1].use: the cut-off of 'ndcg@5' is a key of its own: write"),
    "cut-off below 1": ("{use: ndcg, at: 0}", "[1].at: Input should be greater than or equal to 1"),
    "beyond the slate": ("{use: ndcg, at: 11}", "[1]: 'ndcg@11' looks further than the slate"),
    "missing target": ("{use: users/ndcg, at: 1}", "[1].use: 'users/ndcg' needs the target 'users', which"),
    "no name": ("{at: 5}", "[1].use: this key is required"),
    "neither text nor mapping": ("5", "[1]: Input should be a mapping with keys of as, at, of, use, got 5"),
    "same name": ("{use: ndcg, at: 5}", "[1]: 'ndcg@5' is listed twice"),
    "name of a column": ("{use: ndcg, at: 5, as: unit}", "[1].as: 'unit' means something else in reports"),
    "name of the guardrail": ("{use: ndcg, at: 5, as: latency}", "[1].as: 'latency' means something else"),
    "name with a blank": ("{use: ndcg, at: 5, as: my own}", "[1].as: String should match pattern"),
    "unreadable name": (
        "{use: revenue, at: 5, price: net price}",
        "[1]: 'revenue[price=net price]@5' cannot be read as a name",
    ),
}


@pytest.mark.parametrize("case", REFUSED_OPTIONS)
def test_a_mistake_is_told_with_its_place(loaded, case):
    entry, wanted = REFUSED_OPTIONS[case]
    with pytest.raises(ConfigError) as info:
        loaded(f"[ndcg@5, {entry}]")
    assert f"19: compare.metrics{wanted}" in str(info.value)


def test_the_json_schema_accepts_what_the_checker_accepts(experiment):
    content = yaml.safe_load(experiment((METRICS, MIXED)).read_text())
    schema = experiment_schema(Registry())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(content)] == []
    for broken in (
        {"use": "ndcg", "gian": "linear", "at": 5},
        {"use": "ndcg", "gain": "square"},
        {"use": "ncdg"},
        {"at": 5},
    ):
        content["compare"]["metrics"] = [broken]
        assert not validator.is_valid(content), json.dumps(broken)


def test_a_page_of_reference_lists_the_options_of_a_metric():
    (page,) = describe("ndcg", Registry())
    assert [option[:3] for option in page.options] == [("gain", "binary | linear | exponential", '"binary"')]
    assert page.example == "compare:\n  metrics: [ndcg@10]\n"
    assert page.facts == ("With options, in `compare.metrics`: {use: ndcg, gain: ..., at: 10, as: NAME}",)
    assert describe("recall", Registry())[0].facts == ()


def test_a_required_option_is_part_of_the_example_and_of_the_message(fake_metric, loaded):
    (page,) = describe("share", Registry())
    assert yaml.safe_load(page.example) == {"compare": {"metrics": [{"use": "share", "tag": "blue", "at": 10}]}}
    with pytest.raises(ConfigError, match=r"'share' has no default for tag; write {use: share, tag: ..., at: 10}"):
        loaded("[share@5]")


@pytest.fixture
def fake_metric(tmp_path, monkeypatch):
    """A metric of a plugin with an option that has no default."""
    from tests.fake_plugin import install

    source = '''
import numpy as np
from pydantic import Field
from hybridrec import Metric, Options, hookimpl

class ShareOptions(Options):
    tag: str = Field(examples=["blue"])
    """A tag."""

class Share(Metric):
    """Nothing."""
    name = "share"
    Config = ShareOptions
    def values(self, eval_batch, k):
        return np.zeros(len(eval_batch.ids))

@hookimpl
def hybridrec_metrics():
    return [Share]
'''
    folder = tmp_path / "installed"
    folder.mkdir()
    install(folder, monkeypatch, "share", source)


def test_what_the_data_cannot_give_is_told_before_anything_is_fitted(experiment, tmp_path):
    log = tmp_path / "fits.txt"
    path = experiment(
        (METRICS, "[ndcg@5, {use: revenue, price: prize, at: 5}]"), ("{use: echo}", f"{{use: echo, log: {log}}}")
    )
    for ask in (hybridrec.run, hybridrec.plan):
        with pytest.raises(DataError, match="the items have no feature 'prize': did you mean 'price'"):
            ask(path, store="store")
    assert not log.exists()


def test_the_report_and_the_values_by_query_name_them(experiment):
    run = hybridrec.run(experiment((METRICS, MIXED)), store="store")
    names = ["ndcg@5", "ndcg[gain=linear]@5", "cost@5", "tags/recall@3"]
    assert list(run.report.pipelines["hybrid"].metrics) == names
    assert {row.metric for row in run.report.comparison} == set(names)
    assert set(names) <= set(run.per_query().columns)
    shown = {name: number.mean for name, number in run.report.pipelines["hybrid"].metrics.items()}
    assert shown["ndcg@5"] != shown["ndcg[gain=linear]@5"]  # the toys have weights of 1 to 3
    assert shown["cost@5"] > 0


def test_only_items_are_new_or_repeated(experiment):
    for metric, message in (
        (
            "{use: tags/ndcg, at: 5, of: new}",
            "'tags/ndcg' cannot be divided: only items of a query are new or repeated",
        ),
        ("{use: coverage, at: 5, of: new}", "'coverage' cannot be divided"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_experiment(experiment(("[ndcg@5, tags/ndcg@5]", f"[{metric}]")), Registry())
