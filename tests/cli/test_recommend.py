"""The command `recommend`: from items, tags, text, users and ratings, with explanations."""


def test_recommend_by_items_tags_text_and_user(call, finished):
    status, out, _ = call("recommend", finished, "--item", "Item 2", "--tag", "tag 00", "-n", "3")
    assert status == 0
    assert "'Item 2' is taken for '" in out
    assert len([line for line in out.splitlines() if line[:1] in "123" and "song" in line]) == 3
    status, out, _ = call("recommend", finished, "--user", "nobody", "--text", "even evening", "--target", "tags")
    assert status == 0
    assert "user 'nobody' is unknown" in out
    assert "Recommended tags" in out
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
    ratings.write_text('item,rating\nitem 02,1\n"Item 4",0.5\n\nitem 06,0\n')
    status, out, err = call("recommend", finished, "--ratings", ratings, "-n", "30")
    assert status == 0
    assert err.startswith("pipeline: ")
    assert "'Item 4' is taken for '" in out
    assert not any(f" item {seen} " in out for seen in ("02", "04", "06")), "what was rated is not recommended"
    status, both, _ = call("recommend", finished, "--ratings", ratings, "--item", "item 08", "-n", "30")
    assert status == 0
    assert " item 08 " not in both
    assert " item 08 " in out


def test_a_run_is_found_by_its_name_without_the_time(call, finished):
    status, _, err = call("recommend", finished.parent / "toy", "--item", "i1")
    assert status == 2
    assert f"is not a run: it has no manifest.json; did you mean {finished}?" in err
