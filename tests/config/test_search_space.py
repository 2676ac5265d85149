"""The section `tune`: every mistake in the space is told with its line."""

import pytest

from hybridrec.config.load import check, load_experiment
from hybridrec.config.search_space import Variants
from hybridrec.config.yaml_document import load
from hybridrec.errors import ConfigError, HybridrecError
from hybridrec.registry.discovery import Registry

POP, EASE = "pipelines.hybrid.rerank.0.weights.pop", "components.ease.l2"

REFUSED = {
    "unknown option": ("{pipeline: hybrid, space: {components.ease.l3: [1, 2]}}",
                       "tune.space.components.ease.l3: components.ease has no 'l3' for the search to start from: "
                       "did you mean 'l2'?"),
    "unknown label": ("{pipeline: hybrid, space: {components.eas.l2: [1, 2]}}", "components has no 'eas'"),
    "no place": ("{pipeline: hybrid, space: {pipelines.hybrid.rerank.1.weights.pop: [1, 2]}}",
                 "pipelines.hybrid.rerank has no '1'"),
    "no weight": ("{pipeline: hybrid, space: {pipelines.hybrid.rerank.0.weights.noise: [0, 1]}}",
                  "weights has no 'noise' for the search to start from"),
    "the data": ("{pipeline: hybrid, space: {data.users: [20, 60]}}",
                 "only options below components and pipelines can be tuned"),
    "an end": (f"{{pipeline: hybrid, space: {{{EASE}: {{low: 0, high: 9}}}}}}",
               "tune.space.components.ease.l2: 0 is not possible"),
    "a choice": (f"{{pipeline: hybrid, space: {{{EASE}: [5, much]}}}}", "'much' is not possible"),
    "start outside": (f"{{pipeline: hybrid, space: {{{EASE}: {{low: 6, high: 9}}}}}}", "the config says 5"),
    "start between": (f"{{pipeline: hybrid, space: {{{POP}: {{low: 0, high: 1}}}}}}", "whole numbers"),
    "no range": (f"{{pipeline: hybrid, space: {{{EASE}: {{low: 9, high: 3}}}}}}",
                 f"tune.space.{EASE}: low, 9, must be less than high"),
    "log of 0": (f"{{pipeline: hybrid, space: {{{EASE}: {{low: 0.0, high: 9, log: true}}}}}}", "more than 0"),
    "no pipeline": (f"{{space: {{{EASE}: [5, 9]}}}}", "`pipeline` is missing: say which of control, hybrid"),
    "wrong pipeline": (f"{{pipeline: hybird, space: {{{EASE}: [5, 9]}}}}", "did you mean 'hybrid'?"),
    "metric": (f"{{pipeline: hybrid, metric: ncdg@5, space: {{{EASE}: [5, 9]}}}}", "tune.metric: unknown metric"),
    "cut-off": (f"{{pipeline: hybrid, metric: ndcg@50, space: {{{EASE}: [5, 9]}}}}", "further than the slate"),
    "bound": (f"{{pipeline: hybrid, subject_to: [coverage@5 > 1], space: {{{EASE}: [5, 9]}}}}",
              "tune.subject_to[0]: 'coverage@5 > 1' is not a bound"),
    "search": (f"{{pipeline: hybrid, search: grid, space: {{{EASE}: [5, 9]}}}}", "tune.search: Input should be"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_in_the_space_is_told_with_its_line(experiment, case):
    section, wanted = REFUSED[case]
    path = experiment(("workers: 2", f"workers: 2\ntune: {section}"))
    with pytest.raises(HybridrecError) as info:
        load_experiment(path, Registry())
    message = str(info.value)
    assert message.startswith(f"{path}:22: tune")
    assert wanted in message
    assert "\n" not in message


def test_a_space_starts_at_the_value_of_the_config_as_it_is_written(experiment):
    section = (
        f"{{pipeline: hybrid, subject_to: [coverage@5>=0.2, 'ndcg@5 <= 1e-1'], space: {{{EASE}: {{low: 1, high: 9}}, "
    )
    section += f"{POP}: [0.2, 0.5]}}}}"
    tuning = load_experiment(experiment(("workers: 2", f"workers: 2\ntune: {section}")), Registry()).tuning
    ease, pop = tuning.space
    assert (ease.path, ease.start, type(ease.start)) == (EASE, 5, int)  # the option is a float
    assert (pop.start, pop.samples) == (0.2, [0.2, 0.5])
    assert [(str(bound), bound.at_least) for bound in tuning.bounds] == [
        ("coverage@5 >= 0.2", True),
        ("ndcg@5 <= 0.1", False),
    ]
    assert [*tuning.metric_specs] == ["ndcg@5", "coverage@5"]  # the first metric of `compare` where none is named


def test_a_variant_has_the_values_and_leaves_the_document_as_it_is(experiment):
    path = experiment(("workers: 2", f"workers: 2\ntune: {{pipeline: hybrid, space: {{{EASE}: [5, 9]}}}}"))
    variants = Variants(load(path), Registry(), path.parent, check)
    variant = variants.experiment({EASE: 9, POP: 0.7})
    assert variant.components["ease"].options.l2 == 9
    assert variant.resolved["pipelines"]["hybrid"]["rerank"][0]["weights"]["pop"] == 0.7
    assert variant.tuning is None
    assert variants.experiment({}).components["ease"].options.l2 == 5
    assert "tune" in variants.document.content
    with pytest.raises(ConfigError, match="greater than"):
        variants.experiment({EASE: -1})
