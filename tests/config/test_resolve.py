"""Every mistake in a config is found before anything is fitted, with file, line and key path."""

import pytest

from hybridrec.config.load import load_experiment
from hybridrec.config.resolve import WITHOUT_EXTRAS, is_importable
from hybridrec.errors import ConfigError
from hybridrec.registry.discovery import Registry

HYBRID = "    rerank: [{use: weighted, weights: {ease: 1, pop: 0.2}}]"
GENERATORS = "generators: [{from: ease, k: 20}, {from: noise, k: 10}]"

UNKNOWN_NAMES = {
    "component": (("use: echo", "use: ehco"), "8: components.noise.use: unknown component 'ehco': did you mean "
                  "'echo'?"),
    "component by its label": (("  ease: {l2: 5}", "  esae: {l2: 5}"), "6: components.esae.use: unknown "
                               "component 'esae': did you mean 'ease'?"),
    "reader": (("reader: toy", "reader: toi"), "3: data.reader: unknown reader 'toi': did you mean 'toy'?"),
    "splitter": (("use: masked", "use: maskd"), "4: split.use: unknown splitter 'maskd': did you mean 'masked'?"),
    "executor": (("workers: 2", "executor: toy-thread"), "21: executor: unknown executor 'toy-thread': did you mean "
                 "'toy-threads'? Available: "),
    "executor with options": (("workers: 2", "executor: {use: thread}"), "21: executor.use: unknown executor 'thread': "
                              "did you mean 'threads'?"),
    "label": (("{from: noise", "{from: nosie"), "13: pipelines.hybrid.generators[1].from: no component is "
              "labelled 'nosie': did you mean 'noise'? Available: ease, noise, pop"),
    "label of uses": (("noise: {use: echo}", "noise: {use: approximate, uses: alss}\n  als: {factors: 4}"), "8: "
                      "components.noise.uses: no component is labelled 'alss': did you mean 'als'? Available: als"),
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
                            "(judge) is not a generator; generators here: ease, pop"),
    "generator as scorer": ([("use: echo", "use: proposer"), ("[pop]", "[noise]")], "14: "
                            "pipelines.hybrid.scorers[0]: 'noise' (proposer) is not a scorer; scorers here: ease, pop"),
    "component as re-ranker": ([("use: weighted, weights: {ease: 1, pop: 0.2}", "use: echo")],
                               "15: pipelines.hybrid.rerank[0].use: 'echo' is not a re-ranker"),
    "re-ranker as generator": ([("use: echo", "use: rrf")], "13: pipelines.hybrid.generators[1].from: 'noise' "
                               "(rrf) is not a generator"),
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
        f"pip install 'hybridrec[sentencepiece]'; {WITHOUT_EXTRAS}"
    )


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_combination_is_told_before_any_fit(refused, case):
    replacements, wanted = IMPOSSIBLE[case]
    assert refused(*replacements).startswith(wanted)


def test_a_component_whose_label_is_its_name_need_not_say_so(experiment):
    path = experiment(("  ease: {l2: 5}", "  ease:"))
    assert load_experiment(path, Registry()).components["ease"].cls.name == "ease"


def test_set_reaches_every_level(experiment):
    checked = load_experiment(experiment(), Registry(), ("seed=9", "components.ease.l2=7", "compare.metrics.0=map@3"))
    assert checked.config.seed == 9
    assert checked.components["ease"].options.l2 == 7
    assert checked.metric_specs[0].key == "map@3"


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
    checked = load_experiment(
        experiment(
            (f"[{{from: pop, k: 20}}]{fallbacks}", "[{from: ease, k: 20}]}"),
            (HYBRID + "\n    fallback: [tag-fallback, popularity]", HYBRID),
            ("  pop: {use: popularity}\n", "  judge: {}\n  pop: {use: tag-fallback}\n"),
            ("  noise: {use: echo}", "  noise: {use: bpr, fields: [items]}"),
            (", tags: 5", ""), (", tags/ndcg@5", ""),
        ),
        Registry(),
    )  # fmt: skip
    assert len(checked.notes) == 2
    assert all("`fallback: [NAME]` (`hybridrec show NAME` says if it serves every query)" in n for n in checked.notes)


def test_a_library_is_there_whether_or_not_it_was_imported_and_submodules_count():
    assert is_importable("numpy")
    assert is_importable("scipy.sparse")
    assert not is_importable("scipy.no_such_module")
    assert not is_importable("no_such_library.below")


def test_a_pipeline_may_not_exclude_what_the_split_asks_for(experiment):
    path = experiment(("{use: masked, test: 0.3}", "{use: temporal, seen: allow}"))
    message = (
        r"toy.yaml:\d+: pipelines.control: the split asks for items that users had before .* which 'control' excludes"
    )
    with pytest.raises(ConfigError, match=message):
        load_experiment(path, Registry())


def test_mistakes_of_several_sections_are_told_at_once(experiment):
    path = experiment(
        ("reader: toy", "reader: toi"), ("use: masked", "use: maskd"), ("ease: {l2: 5}", "ease: {l3: 5}"),
        ("use: echo", "use: ecko"), ("tags/ndcg@5", "tags/ncdg@5"), ("toy-events", "toy-event"),
    )  # fmt: skip
    with pytest.raises(ConfigError) as info:
        load_experiment(path, Registry())
    lines = str(info.value).splitlines()
    for line, key, nearest in (
        (3, "data.reader", "toy"), (4, "split.use", "masked"), (6, "components.ease.l3", "l2"),
        (8, "components.noise.use", "echo"), (19, "compare.metrics", "ndcg"), (22, "observe.toy-event", "toy-events"),
    ):  # fmt: skip
        assert any(f"toy.yaml:{line}: {key}" in told and f"'{nearest}'" in told for told in lines), (key, lines)
    assert len(lines) == 6


def test_mistakes_of_several_pipelines_and_trade_offs_are_told_at_once(experiment):
    control, hybrid = "{generators: [{from: pop, k: 20}]", "[{from: ease, k: 20}, {from: noise, k: 10}]"
    path = experiment((control, control.replace("pop", "poop")), (hybrid, hybrid.replace("noise", "noisy")))
    with pytest.raises(ConfigError) as info:
        load_experiment(path, Registry())
    first, second = str(info.value).splitlines()
    assert "toy.yaml:11: pipelines.control.generators[0].from" in first
    assert "toy.yaml:13: pipelines.hybrid.generators[1].from" in second
    path = experiment(
        ("workers: 2", "workers: 2\ntradeoffs: [{pipeline: hybird, vary: rerank.0.weights.pop, over: [1, 2]}, "
         "{pipeline: hybrid, vary: rerank.0.weights.poop, over: [1, 2]}]")
    )  # fmt: skip
    with pytest.raises(ConfigError) as info:
        load_experiment(path, Registry())
    first, second = str(info.value).splitlines()
    assert "tradeoffs[0].pipeline" in first
    assert "tradeoffs[1]" in second


EXECUTORS = {
    "option": ("executor: {use: toy-threads, thread: 2}", "21: executor.thread: unknown key: did you mean 'threads'?"),
    "value": ("executor: {use: toy-threads, threads: 0}", "21: executor.threads: Input should be greater than"),
    "option of the default": ("executor: {use: threads, threads: 2}", "21: executor.threads: unknown key"),
    "no name": ("executor: {threads: 2}", "21: executor.use: this key is required"),
    "number": ("executor: 2", "21: executor: Input should be a mapping with keys of use, got 2"),
    "library": ("executor: homeless-threads", "21: executor: 'homeless-threads' needs the library 'no_such_library', "
                "which is not installed: pip install 'toyland[home]'"),
}  # fmt: skip


@pytest.mark.parametrize("case", EXECUTORS)
def test_a_mistake_in_the_executor_is_told_as_any_other(refused, case):
    text, wanted = EXECUTORS[case]
    assert refused(("workers: 2", text)).startswith(wanted)


def test_an_executor_is_found_by_its_name_and_starts_nothing(experiment):
    log = "executor: {use: toy-threads, log: log.txt}"
    checked = load_experiment(experiment(("workers: 2", log)), Registry())
    assert checked.executor.name == "toy-threads"
    assert not checked.executor.config.log.exists()
    assert load_experiment(experiment(), Registry()).executor.name == "threads"
