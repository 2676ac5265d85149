"""Values of a config against models: unknown keys and wrong values are told with line and key path."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from hybridrec.config.validation import Validator, nested_models
from hybridrec.config.yaml_document import parse
from hybridrec.errors import ConfigError

HYBRID = "    rerank: [{use: weighted, weights: {ease: 1, pop: 0.2}}]"


GENERATORS = "generators: [{from: ease, k: 20}, {from: noise, k: 10}]"


UNKNOWN_KEYS = {
    "top": (("seed: 3", "sede: 3"), "2: sede: unknown key: did you mean 'seed'? Available: compare, components"),
    "data": (("{reader: toy}", "{reader: toy, usres: 3}"), "3: data.usres: unknown key: did you mean 'users'?"),
    "split": (("test: 0.3", "tset: 0.3"), "4: split.tset: unknown key: did you mean 'test'?"),
    "component": (("{l2: 5}", "{L2: 5}"), "6: components.ease.L2: unknown key: did you mean 'l2'?"),
    "pipeline": (("    scorers: [pop]", "    scorer: [pop]"), "14: pipelines.hybrid.scorer: unknown key: "
                 "did you mean 'scorers'? Available: allow, block, disliked, fallback, filters, generators, released, "
                 "rerank, scorers, seen"),
    "generator": ((GENERATORS, GENERATORS.replace("{from: noise, k", "{from: noise, K")),
                  "13: pipelines.hybrid.generators[1].K: unknown key: did you mean 'k'? "
                  "Available: from, k, when"),
    "reranker": (("weights: {ease: 1, pop", "wieghts: {ease: 1, pop"),
                 "15: pipelines.hybrid.rerank[0].wieghts: unknown key: did you mean 'weights'?"),
    "block list": ((HYBRID, HYBRID + "\n    block: {idz: [a]}"),
                   "16: pipelines.hybrid.block.idz: unknown key: did you mean 'ids'? Available: ids, path"),
    "compare": (("  resamples: 100", "  resample: 100"), "20: compare.resample: unknown key: did you mean "
                "'resamples'?"),
    "k_core": (("seed: 3", "seed: 3\nk_core: {user: 2}"), "3: k_core.user: unknown key: did you mean 'users'?"),
}  # fmt: skip


@pytest.mark.parametrize("level", UNKNOWN_KEYS)
def test_an_unknown_key_at_any_level_is_answered_with_the_nearest(refused, level):
    replacement, wanted = UNKNOWN_KEYS[level]
    message = refused(replacement)
    assert message.startswith(wanted)
    assert "\n" not in message


WRONG_VALUES = {
    "type at the top": (("seed: 3", "seed: many"), "2: seed: Input should be a valid integer", "'many'"),
    "below zero": (("seed: 3", "seed: -1"), "2: seed: Input should be greater than or equal to 0, got -1"),
    "required": (("data: {reader: toy}", "refit: none"), "1: data: this key is required"),
    "no reader": (("{reader: toy}", "{users: 3}"), "3: data.reader: this key is required"),
    "data is a word": (("{reader: toy}", "toy"), "3: data: ", "got 'toy'"),
    "reader option": (("reader: toy", "reader: toy, items: none"), "3: data.items: ", "got 'none'"),
    "splitter option": (("test: 0.3", "test: 3"), "4: split.test: Input should be less than 1, got 3"),
    "component option": (("l2: 5", "l2: [5]"), "6: components.ease.l2: ", "got [5]"),
    "component is a number": (("{l2: 5}", "5"), "6: components.ease: ", "got 5"),
    "not a number": (("l2: 5", "l2: .nan"), "6: components.ease.l2: ", "got nan"),
    "generators is a mapping": ((GENERATORS, "generators: {from: ease}"), "13: pipelines.hybrid.generators: "),
    "no generators": ((GENERATORS, "generators: []"), "13: pipelines.hybrid.generators: ", "at least 1"),
    "generator is a word": ((GENERATORS, "generators: [ease]"), "13: pipelines.hybrid.generators[0]: "),
    "gate": (("from: noise", "when: warm, from: noise"), "13: pipelines.hybrid.generators[1].when[0]: ",
             "'warm' is not a gate: ", "has-user, items<5, items>=5"),
    "gate without a number": (("from: noise", "when: items<0, from: noise"), "13: pipelines.hybrid.generators[1].when"
                              "[0]: 'items<0' is not a gate: did you mean 'items<5'?"),
    "rerank is no list": ((HYBRID, "    rerank: {use: weighted}"), "15: pipelines.hybrid.rerank: Input should "
                          "be a valid list, got"),
    "rerank of no target": ((HYBRID, "    rerank: {users: []}"), "15: pipelines.hybrid.rerank.users: ",
                            "'users' is not among the targets of this experiment"),
    "reranker without a name": (("use: weighted, ", ""), "15: pipelines.hybrid.rerank[0].use: this key is"),
    "reranker by target without a name": ((HYBRID, "    rerank: {items: [{weights: {}}]}"),
                                          "15: pipelines.hybrid.rerank.items[0].use: this key is required"),
    "reranker option": (("weights: {ease: 1", "normalise: zscroe, weights: {ease: 1"),
                        "15: pipelines.hybrid.rerank[0].normalise: ",
                        "unknown normaliser 'zscroe': did you mean 'zscore'?"),
    "option of a normaliser": (("weights: {ease: 1", "normalise: {use: softmax, temprature: 2}, weights: {ease: 1"),
                               "15: pipelines.hybrid.rerank[0].normalise: ", "softmax.temprature"),
    "weight": (("{ease: 1, pop", "{ease: much, pop"), "15: pipelines.hybrid.rerank[0].weights.ease: ", "'much'"),
    "target": (("{items: 10, tags: 5}", "{items: 10, Tags: 5}"), "9: targets.Tags: ", "[a-z]"),
    "size": (("workers: 2", "memory: 3 apples"), "21: memory: '3 apples' is not a size; write for example"),
    "mapping": (("seed: 3", "seed: 3\nk_core: 2"),
                "3: k_core: Input should be a mapping with keys of items, users, got 2"),
    "text": ((HYBRID, HYBRID + "\n    block: {ids: [7]}"),
             "16: pipelines.hybrid.block.ids[0]: Input should be text, got 7: put it in quotes"),
    "space": (("seed: 3", "seed: 3\ntune: {pipeline: hybrid, space: {components.ease.l2: 5}}"),
              "3: tune.space.components.ease.l2: Input should be a mapping with keys of high, log, low, step, got 5"),
    "name of a pipeline": (("hybrid:", "a/b:"), "12: pipelines.a/b: ", "pattern"),
    "name of a label": (("noise: {use", "no/ise: {use"), "8: components.no/ise: ", "pattern"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_a_wrong_value_is_told_with_its_place_and_what_it_is(refused, case):
    replacement, wanted, *more = WRONG_VALUES[case]
    message = refused(replacement)
    assert message.startswith(wanted)
    assert "\n" not in message
    for text in more:
        assert text in message


@pytest.mark.parametrize("given", ["zscroe", "{use: zscroe}"])
def test_a_message_that_quotes_the_value_does_not_repeat_it(refused, given):
    message = refused(("weights: {ease: 1", f"normalise: {given}, weights: {{ease: 1"))
    assert message.endswith("Available: ecdf, min-max, none, rank, signs, softmax, zscore")


def test_all_mistakes_of_one_kind_are_told_at_once(refused):
    assert refused(("seed: 3", "seed: x\nsede: 3")).count("\n") == 1


def test_set_is_checked_as_the_file_is(refused):
    assert refused(assignments=["split.tset=0.4"]).startswith("4: split.tset: unknown key")
    assert refused(assignments=["pipelines.hybrid.generators.0.k=0"]).startswith(
        "13: pipelines.hybrid.generators[0].k: Input should be greater than or equal to 1, got 0"
    )


class Leaf(BaseModel, extra="forbid"):
    depth: int = 0


class Tree(BaseModel, extra="forbid"):
    leaves: dict[str, Leaf | list[Leaf]] | None = None


def test_every_problem_has_a_line_of_its_own_with_the_place_in_the_document():
    document = parse("leaves:\n  a: {depth: x}\n  b: {dept: 1}\nleafs: 1\n", "tree.yaml")
    with pytest.raises(ConfigError) as info:
        Validator(document, {}).validate(Tree, document.content, ())
    lines = str(info.value).splitlines()
    assert lines == [*dict.fromkeys(lines)]
    assert any(line.startswith("tree.yaml:2: leaves.a.depth: Input should be a valid integer") for line in lines)
    assert any(line.startswith("tree.yaml:3: leaves.b.dept: unknown key: did you mean 'depth'?") for line in lines)
    assert any(line.startswith("tree.yaml:4: leafs: unknown key: did you mean 'leaves'?") for line in lines)


class Layers(BaseModel):
    """A width, or several: a union whose members pydantic names by their bounds."""

    hidden: Annotated[int, Field(ge=1)] | tuple[Annotated[int, Field(ge=1)], ...] = 1


def test_members_of_a_union_with_bounds_are_no_steps_in_the_document():
    document = parse("hidden: [100, 0]\n", "layers.yaml")
    with pytest.raises(ConfigError) as info:
        Validator(document, {}).validate(Layers, document.content, ())
    assert [line.partition(": Input")[0] for line in str(info.value).splitlines()] == [
        "layers.yaml:1: hidden",
        "layers.yaml:1: hidden[1]",
    ]


def test_models_are_found_in_an_annotation_however_deep():
    assert nested_models(dict[str, Leaf | list[Tree]] | None) == [Leaf, Tree]
    assert nested_models(list[int] | str) == []


BEYOND = {
    "memory": ("workers: 2", f"memory: '{'9' * 400}GB'", "memory: a size of more than 1000000TB"),
    "metric": ("ndcg@5", "ndcg@" + "1" * 50, "is not a whole number of 1 or more"),
    "gate": ("{from: pop, k: 20}", "{from: pop, k: 20, when: items<" + "1" * 50 + "}", "is not a gate"),
    "k": ("{from: pop, k: 20}", "{from: pop, k: 1000000000000000}", "k: Input should be less than or equal to"),
    "repeats": ("workers: 2", "repeats: 100000000", "repeats: Input should be less than or equal to 1000"),
    "home": ("{reader: toy}", "{reader: table, interactions: {path: ~nosuchuser/x.csv, user: u, item: i}}",
             "path: the path cannot be followed: Could not determine home"),
}  # fmt: skip


@pytest.mark.parametrize("case", BEYOND)
def test_numbers_and_paths_beyond_what_a_machine_has_are_refused(refused, case):
    old, new, message = BEYOND[case]
    assert message in refused((old, new))


def test_of_thousands_of_mistakes_the_first_are_told(refused):
    told = refused(("workers: 2", "workers: 2\n" + "\n".join(f"key{n}: 1" for n in range(500))))
    assert told.count("unknown key") == 20
    assert told.endswith("and 480 more mistakes")
    assert len(told) < 10_000
