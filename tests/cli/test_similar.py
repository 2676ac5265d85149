"""The command `similar`: neighbours of an item, a tag or words."""


def test_similar_finds_by_loose_text(call, finished):
    status, out, _ = call("similar", finished, "item 02", "--component", "ease", "-n", "4")
    assert status == 0
    assert "Nearest items to 'even song 2' in ease" in out
    status, out, _ = call("similar", finished, "tag 02", "--by", "tags", "--component", "tag-fallback")
    assert status == 0
    status, _, err = call("similar", finished, "item 02", "--component", "ese")
    assert status == 2
    assert "did you mean 'ease'" in err
