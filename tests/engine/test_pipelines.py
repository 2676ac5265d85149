"""Pipelines on fitted components: filters in the codes of the data, and keys of what decides."""

import pytest

import hybridrec
from hybridrec import DataError
from hybridrec.config.experiment import FilterSpec, PipelineSpec
from hybridrec.config.models import PipelineUse
from hybridrec.engine.pipelines import filters_of
from hybridrec.engine.store import Store
from hybridrec.stages.item_filters import ReleasedFilter
from hybridrec.testing import toy_dataset


@pytest.mark.parametrize("key", ["allow", "block"])
def test_unknown_ids_in_a_list_are_told_before_any_fit(experiment, key):
    path = experiment(("    scorers: [pop]", f"    {key}: {{ids: [nothing, nobody]}}\n    scorers: [pop]"))
    with pytest.raises(DataError, match=f"pipelines.hybrid.{key}: 2 of 2 ids are not in the data, first 'nothing'"):
        hybridrec.run(path)
    assert Store.default().artifacts() == []


def test_lists_and_seen_decide_what_is_recommended(experiment, tmp_path):
    (tmp_path / "never.txt").write_text("item 02\n\nitem 03\n", encoding="utf-8")
    lists = "    allow: {ids: [item 01, item 02, item 03, item 04]}\n    block: {path: never.txt}\n    scorers: [pop]"
    run = hybridrec.run(experiment(("    scorers: [pop]", lists)))
    assert set(run.slates("hybrid")["id"]) == {"item 01", "item 04"}
    assert len(set(run.slates("control")["id"])) > 4


def test_released_needs_items_with_times():
    use = PipelineUse.model_validate({"generators": [{"from": "pop"}], "released": True})
    released = (FilterSpec("pipelines.hybrid.released", ReleasedFilter()),)
    plan, data = PipelineSpec("hybrid", use, {}, filters=released), toy_dataset()
    (fitted,) = filters_of(plan, data)
    assert fitted.state()["released"] is data.items.times
    with pytest.raises(hybridrec.DataError, match=r"pipelines.hybrid.released: the items of the data have no times"):
        filters_of(plan, data.with_entities("items", times=None))


def test_a_pipeline_without_a_generator_for_a_target_leaves_it_to_the_fallback(experiment):
    path = experiment(("generators: [{from: pop, k: 20}]", "generators: [{from: ease, k: 20}]"))
    run = hybridrec.run(path)
    slates = run.slates("control", "tags")
    assert len(slates) == 5 * run.report.pipelines["control"].queries
    assert set(slates["served_by"]) <= {"tag-fallback", "popularity"}
