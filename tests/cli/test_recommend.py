"""The command `recommend`: from items, tags, text, users and ratings, with explanations."""

import polars as pl

import hybridrec
from hybridrec import Query, Run


def test_recommend_by_items_tags_text_and_user(call, finished):
    status, out, _ = call("recommend", finished, "--item", "item 02", "--tag", "tag 00", "-n", "3")
    assert (status, "taken for" in out) == (0, False)
    assert len([line for line in out.splitlines() if line[:1] in "123" and "song" in line]) == 3
    status, out, _ = call("recommend", finished, "--text", "even evening", "--target", "tags")
    assert status == 0
    assert "Recommended tags" in out
    status, _, err = call("recommend", finished, "--user", "user 3", "--text", "even evening")
    assert status == 2
    assert "none of 60 users has the id 'user 3'; nearest: 'user 03'" in err
    assert "leave --user out for somebody new" in err
    status, _, err = call("recommend", finished, "--item", "item 2")
    assert (status, "none of 40 items has the id 'item 2'" in err, "--by" in err) == (2, True, False)
    status, _, err = call("recommend", finished, "--item", "Evn Song 2")
    assert (status, "'Evn Song 2' may be 'even song 2' (item 02), 'even song 2' (item 16)" in err) == (2, True)
    status, out, _ = call("recommend", finished, "--user", "user 03", "--item", "item 02", "-n", "1")
    assert (status, "what the data knows of 'user 03' is left out: --item stand" in out) == (0, True)
    status, out, err = call("recommend", finished, "--user", "user 03", "--pipeline", "control")
    assert (status, err) == (0, "")


def test_it_says_which_pipeline_answers_where_none_is_named(call, finished):
    status, _, err = call("recommend", finished, "--user", "user 03")
    assert (status, err) == (0, "pipeline: hybrid, the default of the run; others by --pipeline: control\n")


def test_recommend_explains_sources_ranks_and_contributions(call, finished):
    status, out, _ = call("recommend", finished, "--item", "item 02", "--explain", "-n", "3")
    assert status == 0
    for word in ("proposed by", "opinions: rank (value)", "contributions", "ease 1 (", "blend"):
        assert word in out


def test_recommend_from_a_file_of_ratings(call, finished, tmp_path):
    ratings = tmp_path / "mine.csv"
    ratings.write_text('item,rating\nitem 02,1\n"item 04",0.5\n\nitem 06,0\n')
    status, out, err = call("recommend", finished, "--ratings", ratings, "-n", "30")
    assert status == 0
    assert err.startswith("pipeline: ")
    assert not any(f" item {seen} " in out for seen in ("02", "04", "06")), "what was rated is not recommended"
    status, both, _ = call("recommend", finished, "--ratings", ratings, "--item", "item 08", "-n", "30")
    assert status == 0
    assert " item 08 " not in both
    assert " item 08 " in out


def test_a_run_is_found_by_its_name_without_the_time(call, finished):
    status, _, err = call("recommend", finished.parent / "toy", "--item", "item 01")
    assert status == 2
    assert f"is not a run: it does not exist; did you mean {finished}?" in err


def test_a_list_of_the_test_part_shows_what_it_hid(call, finished, tmp_path):
    run = Run.open(finished)
    row = run.queries().filter(pl.col("items").list.len() > 0).row(0, named=True)
    status, out, _ = call("recommend", finished, "--held-out", row["unit"], "-n", "40")
    assert status == 0
    assert f"and hides {len(row['relevant_items'])} items" in out
    assert "learned from all data, these included" in out
    marked = [line for line in out.splitlines() if line.rstrip().endswith("yes")]
    assert len(marked) == len(row["relevant_items"])
    assert all(any(f" {item} " in line for item in row["relevant_items"]) for line in marked)
    status, _, err = call("recommend", finished, "--held-out", row["unit"], "--item", "item 02")
    assert (status, "leave out --item" in err) == (2, True)
    bundle = run.bundle(tmp_path / "b.hybridrec")
    status, _, err = call("recommend", bundle, "--held-out", row["unit"])
    assert (status, "which holds no test queries: name the run" in err) == (2, True)


def test_what_no_component_reads_is_told(call, experiment):
    """`ease` reads items, and the fallback of the pipeline tags; popularity reads nothing, and nobody texts."""
    alone = ("pipelines:\n", "pipelines:\n  alone: {generators: [{from: pop}], fallback: []}\n")
    finished = hybridrec.run(experiment(("workers: 2", "refit: all"), alone)).folder
    alone, hybrid = (("recommend", finished, "--pipeline", name, "-n", "2") for name in ("alone", "hybrid"))
    status, out, _ = call(*alone, "--text", "even evening", "--tag", "tag 02")
    assert status == 0
    assert "no component of 'alone' reads texts: what was given of it changes nothing" in out
    assert "no component of 'alone' reads tags" in out
    status, out, _ = call(*hybrid, "--text", "even evening", "--tag", "tag 02", "--item", "item 02")
    assert status == 0
    assert "no component of 'hybrid' reads texts" in out
    assert "reads tags" not in out
    assert "reads items" not in out


def test_a_text_of_unknown_words_is_told(call, experiment):
    linear = ("noise: {use: echo}", "noise: {use: echo}\n  linear: {use: p3alpha, fields: [items, title]}")
    pipelines = "  read: {generators: [{from: linear}], fallback: [popularity]}\n"
    run = hybridrec.run(experiment(("workers: 2", "refit: all"), linear, ("pipelines:\n", f"pipelines:\n{pipelines}")))
    asked = ("recommend", run.folder, "--pipeline", "read", "-n", "2")
    status, _, err = call(*asked, "--text", "zzzz")
    reason = "no generator of 'read' proposes items for it; served by popularity"
    assert (status, err) == (0, f"note: the text changes nothing: {reason}\n")
    assert call(*asked, "--text", "even")[2] == ""
    assert call(*asked)[2] == ""


def test_a_slate_of_nothing_is_a_sentence(call, experiment):
    """Songs without a tag, asked of a pipeline that draws by tags and has no fallback."""
    draw = ("pipelines:\n", "pipelines:\n  drawn: {generators: [{from: draw}], fallback: []}\n")
    component = ("noise: {use: echo}", "noise: {use: echo}\n  draw: {use: tag-draw}")
    untagged = ("{reader: toy}", "{reader: toy, tags: 0}"), (", tags: 5", ""), (", tags/ndcg@5", "")
    run = hybridrec.run(experiment(("workers: 2", "refit: all"), draw, component, *untagged))
    status, out, _ = call("recommend", run.folder, "--item", "item 02", "--pipeline", "drawn")
    assert status == 0
    assert out.splitlines() == [
        "'drawn' recommends no items for this: draw propose nothing, and the pipeline has no fallback"
    ]


def test_columns_of_the_request_features_of_the_user_and_a_time_are_stated(call, tmp_path):
    """Nothing above the budget, only what is out at the time, and first what users of the same taste play."""
    day = [f"1970-01-{n:02}" for n in range(1, 10)]
    songs = [f"s{n}" for n in range(1, 10)]
    plays = pl.DataFrame({"user": ["u"] * 7 + ["v"] * 2, "item": songs, "time": day, "budget": [9.0] * 9})
    items = pl.DataFrame({"id": songs, "price": list(range(1, 10)), "out": day})
    where = "price <= coalesce(request.budget, 99) and time <= coalesce(request.time, time)"
    popular = {"generators": [hybridrec.take("popularity")], "seen": "allow", "fallback": []}
    experiment = hybridrec.Experiment(
        name="asked",
        data=hybridrec.use(
            "table",
            interactions={"user": "user", "item": "item", "time": "time", "context": {"budget": "number"}},
            items={"id": "id", "time": "out", "features": {"price": "number"}},
            users={"id": "id", "features": ["taste"]},
        ),
        split=hybridrec.use("leave-one-out"),
        components={"popularity": hybridrec.use("popularity", by="user-features", smoothing=0.1)},
        pipelines={"control": hybridrec.PipelineConfig(**popular, filters=[hybridrec.use("attribute", where=where)])},
        refit="all",
    )
    frames = {
        "interactions": plays,
        "items": items,
        "users": pl.DataFrame({"id": ["u", "v"], "taste": ["rock", "jazz"]}),
    }
    run = hybridrec.run(experiment, data=frames, store=tmp_path / "store", runs=tmp_path / "runs")

    def shown(*options: str) -> list[str]:
        status, out, err = call("recommend", run.folder, "--user", "u", *options)
        assert status == 0, out + err
        return [line.split()[1] for line in out.splitlines() if line.startswith(tuple("123456789"))]

    assert sorted(shown()) == songs
    assert set(shown()[-2:]) == {"s8", "s9"}
    assert set(shown("--user-feature", "taste=jazz")[:2]) == {"s8", "s9"}
    assert sorted(shown("--context", "budget=4")) == songs[:4]
    assert sorted(shown("--time", "1970-01-03")) == sorted(shown("--time", "172800")) == songs[:3]
    for option, value, says in (
        ("--context", "bugdet=4", "--context: unknown column 'bugdet': did you mean 'budget'? Available: budget"),
        ("--context", "budget=cheap", "--context budget: 'cheap' is not a number"),
        (
            "--user-feature",
            "tast=jazz",
            "--user-feature: unknown column 'tast': did you mean 'taste'? Available: taste",
        ),
        ("--time", "soon", "--time: 'soon' is not a time"),
    ):
        status, _, err = call("recommend", run.folder, option, value)
        assert status == 2
        assert says in err


def test_a_batch_of_all_users_is_written_and_continued(call, finished, tmp_path):
    folder = tmp_path / "out"
    asked = ("recommend", finished, "--all", "-o", folder, "-n", "4", "--queries-per-part", "25")
    status, out, err = call(*asked)
    assert (status, out) == (0, f"{folder}: 60 queries in 3 parts\n")
    assert err.startswith("pipeline: hybrid, the default of the run")
    table = pl.read_parquet(folder / "part-*.parquet")
    assert table["query"].n_unique() == 60
    assert table.filter(query="user 07")["id"].to_list() == (
        hybridrec.load(finished).recommend(Query(user="user 07"), 4).to_frame()["id"].to_list()
    )
    status, _, err = call(*asked)
    assert (status, "continue it with --resume" in err) == (2, True)
    (folder / "part-00001.parquet").unlink()
    status, _, _ = call(*asked, "--resume")
    assert (status, pl.read_parquet(folder / "part-*.parquet").equals(table)) == (0, True)
    status, _, err = call(*asked, "--resume", "--pipeline", "control")
    assert (status, "begun with pipeline hybrid, not control" in err) == (2, True)


def test_a_batch_of_a_file_of_queries(call, finished, tmp_path):
    queries = tmp_path / "queries.csv"
    queries.write_text("query,user,items,n,context.device\na,user 03,,,phone\nb,,item 01;item 77,2,\n")
    asked = ("recommend", finished, "--queries", queries, "--list-separator", ";", "--format", "jsonl", "--explain")
    status, _, err = call(*asked, "-o", tmp_path / "out")
    assert (status, "queries.csv, line 3: column 'items': none of 40 items has the id 'item 77'" in err) == (2, True)
    status, _, _ = call(*asked, "--unknown", "skip", "-o", tmp_path / "skipped")
    table = pl.read_ndjson(tmp_path / "skipped" / "part-00000.jsonl")
    assert (status, table["query"].to_list(), table.columns[-1]) == (0, ["a"] * 10 + ["b"] * 2, "contributions")


def test_options_of_a_batch_and_of_one_query_are_kept_apart(call, finished, tmp_path):
    for arguments, message in [
        (("--all",), "-o: name the folder into which the recommendations are written"),
        (("--all", "--item", "item 01", "-o", tmp_path / "out"), "--item each say who asks: give one"),
        (("--all", "--queries", "x.csv", "-o", tmp_path / "out"), "each say who asks: give one"),
        (("--item", "item 01", "-o", tmp_path / "out"), "-o is of a batch: give --all or --queries FILE, too"),
        (("--resume",), "--resume is of a batch"),
    ]:
        status, _, err = call("recommend", finished, *arguments)
        assert (status, message in err) == (2, True), err
    bundle = Run.open(finished).bundle(tmp_path / "bare.hybridrec", users=False)
    status, _, err = call("recommend", bundle, "--all", "-o", tmp_path / "out")
    assert (status, "holds no users; name a file of queries with --queries" in err) == (2, True)


def test_a_batch_by_an_executor_has_the_same_files(call, finished, tmp_path, monkeypatch, toyland):
    def files(folder, *words):
        status, _, err = call("recommend", finished, "--all", "-o", tmp_path / folder, *words)
        assert status == 0, err
        return {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}

    alone = files("alone")
    assert files("apart", "--executor", "toy-threads") == alone
    monkeypatch.setenv("HYBRIDREC_EXECUTOR", "threads")
    assert files("threads") == alone
    status, _, err = call("recommend", finished, "--all", "-o", tmp_path / "no", "--executor", "toy-thread")
    assert (status, "unknown executor 'toy-thread': did you mean 'toy-threads'" in err) == (2, True)
    status, _, err = call("recommend", finished, "--all", "-o", tmp_path / "none", "--executor", "homeless-threads")
    assert (status, "'homeless-threads' needs the library 'no_such_library'" in err) == (2, True)
