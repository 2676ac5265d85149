"""The section `compare`: metrics with targets and cut-offs, sums of them, guardrails, and the control."""

import pytest

from hybridrec.config.load import load_experiment
from hybridrec.config.metrics import metric_spec
from hybridrec.config.resolve import Checker
from hybridrec.config.yaml_source import load
from hybridrec.errors import ConfigError
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
