"""The commands around a user's data and a finished run: init, reduce, recommend, similar."""

import json

import jsonschema
import numpy as np
import yaml


def test_recommend_by_items_tags_text_and_user(call, finished):
    status, out, _ = call("recommend", finished, "--item", "Item 2", "--tag", "tag 00", "-n", "3")
    assert status == 0
    assert "'Item 2' is taken for '" in out
    assert len([line for line in out.splitlines() if line[:1] in "123" and "song" in line]) == 3
    status, out, _ = call("recommend", finished, "--user", "nobody", "--text", "even evening", "--target", "tags")
    assert status == 0
    assert "user 'nobody' is unknown" in out
    assert "Recommended tags" in out
    status, out, _ = call("recommend", finished, "--user", "user 03", "--pipeline", "control")
    assert status == 0


def test_recommend_explains_sources_ranks_and_contributions(call, finished):
    status, out, _ = call("recommend", finished, "--item", "item 02", "--explain", "-n", "3")
    assert status == 0
    for word in ("proposed by", "opinions: rank (value)", "contributions", "ease 1 (", "blend"):
        assert word in out


def test_similar_finds_by_loose_text(call, finished):
    status, out, _ = call("similar", finished, "item 02", "--component", "ease", "-n", "4")
    assert status == 0
    assert "Nearest items to 'even song 2' in ease" in out
    status, out, _ = call("similar", finished, "tag 02", "--by", "tag", "--component", "tag-fallback")
    assert status == 0
    status, _, err = call("similar", finished, "item 02", "--component", "ese")
    assert status == 2
    assert "did you mean 'ease'" in err


def test_init_writes_a_config_that_runs(call, experiment, tmp_path):
    experiment()
    rows = [f"u{user},i{item}" for user in range(40) for item in range(user % 2, 24, 2) if (user * item) % 5]
    (tmp_path / "plays.csv").write_text("\n".join(["user,item", *rows]) + "\n")
    status, out, err = call("init", "plays.csv", "-o", "mine.yaml")
    assert (status, err) == (0, "")
    assert "wrote mine.yaml; try: hybridrec run mine.yaml" in out
    written = (tmp_path / "mine.yaml").read_text()
    schema = written.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    jsonschema.validate(yaml.safe_load(written), json.loads((tmp_path / schema).read_text()))
    status, _, err = call("init", "plays.csv", "-o", "mine.yaml")
    assert status == 2
    assert "mine.yaml exists" in err
    status, out, err = call("run", "mine.yaml")
    assert (status, err) == (0, "")


def test_reduce_makes_vectors_that_are_not_overwritten_by_accident(call, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(30, 4, 5)))
    command = ("reduce", tmp_path / "x.npy", "--dims", "3", "-o", tmp_path / "v.npy")
    status, out, _ = call(*command)
    assert status == 0
    assert "3 numbers in place of 20 for each of 30 items, with" in out
    vectors = np.load(tmp_path / "v.npy")
    assert (vectors.shape, vectors.dtype) == ((30, 3), np.float32)
    assert call(*command)[0] == 2
    assert call(*command, "--force")[0] == 0
    assert (np.load(tmp_path / "v.npy") == vectors).all()
