"""Every mistake in a config is found before anything is fitted, with file, line and key path."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

import hybridrec
from hybridrec.config.json_schema import experiment_schema
from hybridrec.config.load import load_experiment
from hybridrec.errors import HybridrecError
from hybridrec.registry.discovery import Registry


@pytest.fixture
def refused(experiment):
    """The message about a config with pieces of its text replaced, from the line on; nothing was fitted for it."""

    def message(*replacements, assignments=()):
        path = experiment(*replacements)
        with pytest.raises(HybridrecError) as info:
            hybridrec.run(path, assignments, store="store")
        assert info.value.exit_status == 2
        assert not Path("store").exists()
        assert not Path("runs").exists()
        return str(info.value).replace(f"{path}:", "")

    return message


HYBRID = "    rerank: [{use: weighted, weights: {ease: 1, pop: 0.2}}]"
GENERATORS = "generators: [{from: ease, k: 20}, {from: noise, k: 10}]"

UNKNOWN_KEYS = {
    "top": (("seed: 3", "sede: 3"), "2: sede: unknown key: did you mean 'seed'? Available: compare, components"),
    "data": (("{reader: toy}", "{reader: toy, usres: 3}"), "3: data.usres: unknown key: did you mean 'users'?"),
    "split": (("test: 0.3", "tset: 0.3"), "4: split.tset: unknown key: did you mean 'test'?"),
    "component": (("{l2: 5}", "{L2: 5}"), "6: components.ease.L2: unknown key: did you mean 'l2'?"),
    "pipeline": (("    scorers: [pop]", "    scorer: [pop]"), "14: pipelines.hybrid.scorer: unknown key: "
                 "did you mean 'scorers'? Available: allow, block, fallback, filters, generators, released, rerank, "
                 "scorers, seen"),
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
                            "'items' or 'tags'"),
    "reranker without a name": (("use: weighted, ", ""), "15: pipelines.hybrid.rerank[0].use: this key is"),
    "reranker by target without a name": ((HYBRID, "    rerank: {items: [{weights: {}}]}"),
                                          "15: pipelines.hybrid.rerank.items[0].use: this key is required"),
    "reranker option": (("weights: {ease: 1", "normalise: zscroe, weights: {ease: 1"),
                        "15: pipelines.hybrid.rerank[0].normalise: ",
                        "unknown normaliser 'zscroe': did you mean 'zscore'?"),
    "option of a normaliser": (("weights: {ease: 1", "normalise: {use: softmax, temprature: 2}, weights: {ease: 1"),
                               "15: pipelines.hybrid.rerank[0].normalise: ", "softmax.temprature"),
    "weight": (("{ease: 1, pop", "{ease: much, pop"), "15: pipelines.hybrid.rerank[0].weights.ease: ", "'much'"),
    "target": (("{items: 10, tags: 5}", "{items: 10, users: 5}"), "9: targets.users: ", "'items' or 'tags'"),
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
    for part in more:
        assert part in message


@pytest.mark.parametrize("given", ["zscroe", "{use: zscroe}"])
def test_a_message_that_quotes_the_value_does_not_repeat_it(refused, given):
    message = refused(("weights: {ease: 1", f"normalise: {given}, weights: {{ease: 1"))
    assert message.endswith("Available: ecdf, min-max, none, rank, signs, softmax, zscore")


def test_all_mistakes_of_one_kind_are_told_at_once(refused):
    assert refused(("seed: 3", "seed: x\nsede: 3")).count("\n") == 1


UNKNOWN_NAMES = {
    "component": (("use: echo", "use: ehco"), "8: components.noise.use: unknown component 'ehco': did you mean "
                  "'echo'?"),
    "component by its label": (("  ease: {l2: 5}", "  esae: {l2: 5}"), "6: components.esae.use: unknown "
                               "component 'esae': did you mean 'ease'?"),
    "reader": (("reader: toy", "reader: toi"), "3: data.reader: unknown reader 'toi': did you mean 'toy'?"),
    "splitter": (("use: masked", "use: maskd"), "4: split.use: unknown splitter 'maskd': did you mean 'masked'?"),
    "metric": (("[ndcg@5, ", "[recall@5, ncdg@5, "), "19: compare.metrics[1]: unknown metric 'ncdg': did you "
               "mean 'ndcg'?"),
    "cut-off": (("[ndcg@5, ", "[ndcg, "), "19: compare.metrics[0]: metric 'ndcg': the cut-off is missing"),
    "label": (("{from: noise", "{from: nosie"), "13: pipelines.hybrid.generators[1].from: no component is "
              "labelled 'nosie': did you mean 'noise'? Available: ease, noise, pop"),
    "scorer": (("scorers: [pop]", "scorers: [ease, popp]"), "14: pipelines.hybrid.scorers[1]: no component is "
               "labelled 'popp': did you mean 'pop'?"),
    "fallback": (("0.2}}]\n    fallback: [tag-fallback, ", "0.2}}]\n    fallback: [popularty, "),
                 "16: pipelines.hybrid.fallback[0]: no "
                 "component is labelled or named 'popularty': did you mean 'popularity'?"),
    "reranker": (("use: weighted", "use: wieghted"), "15: pipelines.hybrid.rerank[0].use: unknown component "
                 "'wieghted': did you mean 'weighted'?"),
    "weight": (("{ease: 1, pop", "{ease: 1, popp"), "15: pipelines.hybrid.rerank[0].weights.popp: no generator "
               "or scorer here is 'popp': did you mean 'pop'? Available: ease, noise, pop"),
    "weight of a segment": (("weights: {ease: 1", "segments: {tags: {eas: 1}}, weights: {ease: 1"),
                            "15: pipelines.hybrid.rerank[0].segments.tags.eas: no generator or scorer here is"),
    "weight by target": ((HYBRID, "    rerank: {items: [{use: rrf}], tags: [{use: weighted, weights: {x: 1}}]}"),
                         "15: pipelines.hybrid.rerank.tags[0].weights.x: no generator or scorer here is 'x'"),
    "control": (("control: control\n", "control: contrl\n"), "18: compare.control: no pipeline is named "
                "'contrl': did you mean 'control'?"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN_NAMES)
def test_an_unknown_name_is_answered_with_the_nearest(refused, case):
    replacement, wanted = UNKNOWN_NAMES[case]
    assert refused(replacement).startswith(wanted)


def test_only_generators_are_named_where_a_fallback_is_unknown(refused):
    told = refused((HYBRID + "\n    fallback: [tag-fallback, ", HYBRID + "\n    fallback: [popularty, "))
    assert "did you mean 'popularity'" in told
    assert "weighted" not in told


IMPOSSIBLE = {
    "scorer as generator": ([("use: echo", "use: judge")], "13: pipelines.hybrid.generators[1].from: 'noise' "
                            "(judge) is no generator; generators here: ease, pop"),
    "generator as scorer": ([("use: echo", "use: proposer"), ("[pop]", "[noise]")], "14: "
                            "pipelines.hybrid.scorers[0]: 'noise' (proposer) is no scorer; scorers here: ease, pop"),
    "component as re-ranker": ([("use: weighted, weights: {ease: 1, pop: 0.2}", "use: echo")],
                               "15: pipelines.hybrid.rerank[0].use: 'echo' is not a re-ranker"),
    "re-ranker as generator": ([("use: echo", "use: rrf")], "13: pipelines.hybrid.generators[1].from: 'noise' "
                               "(rrf) is no generator"),
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
    "single with the name of a pipeline": ([("  resamples", "  singles: true\n  resamples"), ("hybrid:", "ease:")],
                                           "12: pipelines.ease: with `singles: true` no pipeline may have"),
    "no fusion": ([(HYBRID, "")], "12: pipelines.hybrid: ease, noise, pop give scores for items: say under "
                  "`rerank` how they are fused"),
    "no fusion for one target": ([(HYBRID, "    rerank: {items: [{use: rrf}]}")],
                                 "12: pipelines.hybrid: noise, pop give scores for tags"),
    "nothing fuses": ([(HYBRID, "    rerank: [{use: mmr}, {use: rrf}]")],
                      "15: pipelines.hybrid.rerank[0].use: 'mmr' reorders what is fused, and ease, noise, pop give "
                      "scores for items: put a fusion before it, for example {use: borda}"),
    "nothing fuses for one target": ([(HYBRID, "    rerank: {items: [{use: rrf}], tags: [{use: quotas}]}")],
                                     "15: pipelines.hybrid.rerank.tags[0]"),
    "target nobody serves": ([(GENERATORS, "generators: [{from: ease}]"), ("    scorers: [pop]\n", ""),
                              (", pop: 0.2}}]\n    fallback: [tag-fallback, popularity]", "}}]")],
                             "12: pipelines.hybrid: none of its generators recommends the target 'tags'"),
    "generator twice": ([("from: noise", "from: ease")], "13: pipelines.hybrid.generators[1].from: 'ease' "
                        "already generates here"),
    "missing library": ([("use: echo", "use: homeless")], "8: components.noise: 'homeless' needs the library "
                        "'no_such_library', which is not installed: pip install 'toyland[home]'"),
    "missing list": ([(HYBRID, HYBRID + "\n    allow: {path: none.txt}")],
                     "16: pipelines.hybrid.allow.path: no such file: "),
}  # fmt: skip


def test_a_tokenizer_whose_library_is_missing_is_told_before_any_fit(refused, monkeypatch):
    monkeypatch.setattr("hybridrec.config.resolve.is_importable", lambda module: module != "sentencepiece")
    told = refused(("{l2: 5}", "{fields: [items, title], tokenizer: {use: sentencepiece}}"))
    assert told == (
        "6: components.ease: the tokenizer of 'ease' needs the library 'sentencepiece', which is not installed: "
        "pip install 'hybridrec[sentencepiece]'"
    )


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_combination_is_told_before_any_fit(refused, case):
    replacements, wanted = IMPOSSIBLE[case]
    assert refused(*replacements).startswith(wanted)


def test_set_is_checked_as_the_file_is(refused):
    assert refused(assignments=["split.tset=0.4"]).startswith("4: split.tset: unknown key")
    assert refused(assignments=["pipelines.hybrid.generators.0.k=0"]).startswith(
        "13: pipelines.hybrid.generators[0].k: Input should be greater than or equal to 1, got 0"
    )


def test_a_component_whose_label_is_its_name_need_not_say_so(experiment):
    path = experiment(("  ease: {l2: 5}", "  ease:"))
    assert load_experiment(path, Registry()).components["ease"].cls.name == "ease"


def test_set_reaches_every_level(experiment):
    found = load_experiment(experiment(), Registry(), ("seed=9", "components.ease.l2=7", "compare.metrics.0=map@3"))
    assert found.config.seed == 9
    assert found.components["ease"].options.l2 == 7
    assert found.metric_specs[0].key == "map@3"


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


def test_the_json_schema_accepts_what_the_checker_accepts(experiment):
    experiment()
    schema = experiment_schema(Registry())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = yaml.safe_load(experiment().read_text())
    configs = sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))
    for content in [good, *(yaml.safe_load(path.read_text()) for path in configs)]:
        assert [error.message for error in validator.iter_errors(content)] == []
    for broken in (
        {**good, "sede": 1},
        {**good, "data": {"reader": "toy", "usres": 3}},
        {**good, "components": {"noise": {"use": "echo", "lvl": 3}}},
        {**good, "pipelines": {"a": {"generators": [{"from": "noise"}], "rerank": [{"use": "als"}]}}},
    ):
        assert not validator.is_valid(broken), json.dumps(broken)


def test_every_reference_in_the_schema_is_defined(toyland):
    schema = experiment_schema(Registry())
    references = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert references <= schema["$defs"].keys()


UNSERVED = "has no `fallback`: queries that no generator serves get an empty slate"


def test_a_pipeline_that_leaves_fallback_out_has_none_and_a_note_says_what_to_write(experiment):
    fallbacks = "\n    fallback: [tag-fallback, popularity]"
    path = experiment((HYBRID + fallbacks, HYBRID))
    loaded = load_experiment(path, Registry())
    assert loaded.resolved["pipelines"]["hybrid"]["fallback"] == []
    (note,) = loaded.notes
    assert note.startswith(f"pipelines.hybrid {UNSERVED}")
    assert note.endswith("to serve all write `fallback: [pop]`, and `fallback: []` if this is meant")
    meant = load_experiment(experiment((HYBRID + fallbacks, HYBRID + "\n    fallback: []")), Registry())
    assert meant.notes == ()
    assert meant.hash == loaded.hash


def test_the_note_names_no_component_that_the_config_does_not_have(experiment):
    fallbacks = ", fallback: [tag-fallback, popularity]}"
    found = load_experiment(
        experiment(
            (f"[{{from: pop, k: 20}}]{fallbacks}", "[{from: ease, k: 20}]}"),
            (HYBRID + "\n    fallback: [tag-fallback, popularity]", HYBRID),
            ("  pop: {use: popularity}\n", "  judge: {}\n  pop: {use: tag-fallback}\n"),
            ("  noise: {use: echo}", "  noise: {use: bpr, fields: [items]}"),
            (", tags: 5", ""), (", tags/ndcg@5", ""),
        ),
        Registry(),
    )  # fmt: skip
    assert len(found.notes) == 2
    assert all("`fallback: [NAME]` (`hybridrec show NAME` says if it serves every query)" in n for n in found.notes)
