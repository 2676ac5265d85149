"""A checked experiment: its resolved config, its hash, and the dimensions of a search."""

import pytest
import yaml

import hybridrec
from hybridrec.config.experiment import Bound, Dimension
from hybridrec.config.load import load_experiment
from hybridrec.config.models import Range
from hybridrec.registry.discovery import Registry
from tests.engine.toy_runs import plain


def test_the_config_of_a_run_is_the_same_experiment(experiment, tmp_path):
    run = hybridrec.run(experiment())
    again = hybridrec.run(run.folder / "config.yaml")
    assert again.report.config_hash == run.report.config_hash
    assert plain(again.report) == plain(run.report)
    assert again.folder != run.folder
    assert yaml.safe_load((run.folder / "config.yaml").read_text())["components"]["popularity"] == {
        "use": "popularity", "count": "users", "by": "all", "smoothing": 5.0,
    }  # fmt: skip


HYBRID = "    rerank: [{use: weighted, weights: {ease: 1, pop: 0.2}}]"


def test_the_resolved_config_loads_again_and_is_the_same_experiment(experiment, tmp_path):
    (tmp_path / "never.txt").write_text("item 01\n")
    rerank = "    rerank: {items: [{use: weighted, weights: {ease: 1}}], tags: [{use: rrf}]}"
    path = experiment(
        ("{reader: toy}", "{reader: toy, path: files/a.csv}"),
        (HYBRID, rerank + "\n    block: {path: never.txt}\n    seen: allow"),
        ("from: noise", "when: [has-items, cold], from: noise"),
        ("workers: 2", "memory: 2GB\nk_core: {users: 2}"),
    )
    first = load_experiment(path, Registry())
    again = tmp_path / "elsewhere" / "config.yaml"
    again.parent.mkdir()
    again.write_text(yaml.safe_dump(first.resolved, sort_keys=False), encoding="utf-8")
    second = load_experiment(again, Registry())
    assert second.resolved == first.resolved
    assert second.hash == first.hash
    assert first.resolved["data"]["path"] == str(tmp_path / "files" / "a.csv")
    assert first.resolved["pipelines"]["hybrid"]["block"]["path"] == str(tmp_path / "never.txt")
    assert first.resolved["components"]["popularity"]["use"] == "popularity"  # the fallback's


def test_the_hash_tells_experiments_apart_and_not_how_they_are_written(experiment):
    plain = load_experiment(experiment(), Registry()).hash
    assert load_experiment(experiment(("seed: 3\n", "seed:    3   # three\n")), Registry()).hash == plain
    assert load_experiment(experiment(("k: 20}", "k: 20, when: []}")), Registry()).hash == plain
    assert load_experiment(experiment(("pop: 0.2", "pop: 0.3")), Registry()).hash != plain


@pytest.mark.parametrize(
    ("values", "inside", "outside"),
    [
        (Range(low=1, high=9), [1, 5, 9], [0, 10, 5.0, "5"]),
        (Range(low=1, high=9, step=4), [1, 5, 9], [3, 8]),
        (Range(low=0.0, high=1.0), [0, 0.5, 1.0], [-0.1, 1.1, "0.5"]),
        (Range(low=0.1, high=0.7, step=0.2), [0.1, 0.3, 0.5, 0.7], [0.2, 0.9]),
        (("adam", 3, [1, 2]), ["adam", 3, [1, 2]], ["sgd", 4, [2, 1]]),
    ],
)
def test_a_dimension_holds_its_values_and_reads_back_what_it_writes(values, inside, outside):
    dimension = Dimension("components.x", values, inside[0])
    for value in inside:
        assert value in dimension
        assert dimension.parse(dimension.text(value)) == value
        assert "\n" not in dimension.text(value)
    assert not [value for value in outside if value in dimension]
    assert all(value in dimension for value in dimension.samples)
    assert dimension.whole == (values in (Range(low=1, high=9), Range(low=1, high=9, step=4)))


def test_a_bound_is_exceeded_on_its_own_side(experiment):
    spec = load_experiment(experiment(), Registry()).metric_specs[0]
    least, most = Bound(spec, True, 0.25), Bound(spec, False, 0.25)
    assert (str(least), str(most)) == ("ndcg@5 >= 0.25", "ndcg@5 <= 0.25")
    for value, excess in ((0.5, -0.25), (0.25, 0.0), (0.0, 0.25)):
        assert least.excess(value) == excess
        assert most.excess(value) == -excess


def test_a_component_is_made_with_the_base_model_it_uses(experiment):
    near = ("noise: {use: echo}", "noise: {use: approximate, uses: als}\n  als: {factors: 4}")
    components = load_experiment(experiment(near), Registry()).components
    spec = components["noise"]
    assert (spec.uses, spec.base_model) == ("als", components["als"])
    assert spec.create() is not spec.create()
    assert components["als"].requires == components["als"].cls.requires
    assert components["als"].uses is None


def test_a_pipeline_needs_its_components_and_those_of_its_re_rankers_once(experiment):
    checked = load_experiment(experiment(), Registry())
    assert checked.pipelines["hybrid"].labels == ["ease", "noise", "pop", "tag-fallback", "popularity"]
    assert not checked.pipelines["hybrid"].learns
    learner = load_experiment(
        experiment(("{use: weighted, weights: {ease: 1, pop: 0.2}}", "{use: student}")), Registry()
    )
    assert learner.pipelines["hybrid"].learns
    assert not learner.pipelines["control"].learns
