"""A pipeline put together from labels and components."""

from hybridrec.inference.pipelines import GeneratorLayout, PipelineLayout, assemble
from hybridrec.stages.pipeline import Filters, Source
from tests.toyland.toyland import Judge, Proposer


def test_every_label_gets_its_component():
    layout = PipelineLayout("blend", (GeneratorLayout("a", 7, ("cold",)), GeneratorLayout("b", 3)), ("c", "a"), ("b",))
    assert layout.labels == ["a", "b", "c"]
    components = {"a": Proposer(), "b": Proposer(), "c": Judge()}
    filters = Filters()
    pipeline = assemble(layout, components, {}, filters)
    assert pipeline.sources == (Source("a", components["a"], 7, ("cold",)), Source("b", components["b"], 3))
    assert pipeline.scorers == (("c", components["c"]), ("a", components["a"]))
    assert pipeline.fallback == (("b", components["b"]),)
    assert pipeline.filters is filters
