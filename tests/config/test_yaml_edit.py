"""Edits of YAML text: values are set where the old ones stood, everything else stays as its author wrote it."""

import yaml

from hybridrec.config.yaml_edit import edited_text

TEXT = """\
# head
name: x   # its name
components:
  als: {factors: 3} # factors
  ease:
  pop: {}
  # below
  w2v:
    dim: 32   # dims
    blocks:   # as a list
      - a
      - b     # last
tune:
  space:
    a.b: [1, 2]   # gone
# tail
compare: {metrics: [ndcg@5]}
"""


def test_a_file_is_edited_where_the_values_stand():
    values = {
        ("components", "als", "factors"): 64,
        ("components", "als", "more"): 0.5,
        ("components", "ease", "l2"): 5,
        ("components", "pop", "a"): "no",
        ("components", "pop", "b"): 1,
        ("components", "w2v", "fields"): ["x", "y"],
        ("components", "w2v", "dim"): 1e-9,
        ("components", "w2v", "blocks"): ["c"],
    }
    edited = edited_text(TEXT, values, without="tune")
    content = yaml.safe_load(TEXT)
    del content["tune"]
    for (_, label, key), value in values.items():
        content["components"][label] = {**(content["components"][label] or {}), key: value}
    assert yaml.safe_load(edited) == content
    for comment in ("# head", "# its name", "# factors", "# below", "# dims", "# tail"):
        assert comment in edited
    assert "# gone" not in edited


def test_a_block_takes_the_place_of_a_line_and_without_a_section_all_stay():
    edited = edited_text(TEXT, {("compare",): {"control": "x", "metrics": ["a", "b"]}})
    assert yaml.safe_load(edited) == yaml.safe_load(TEXT) | {"compare": {"control": "x", "metrics": ["a", "b"]}}
    assert "# gone" in edited
    assert "compare: {control: x, metrics: [a, b]}" in edited


def test_a_section_is_replaced_with_the_comments_of_its_lines_and_a_new_one_comes_last():
    long = {f"a{number}": "x" * 20 for number in range(9)}
    edited = edited_text(TEXT, {("components",): long, ("seed",): 3, ("name",): "y"})
    content = yaml.safe_load(TEXT) | {"components": long, "seed": 3, "name": "y"}
    assert yaml.safe_load(edited) == content
    assert "components:\n  a0: xx" in edited
    assert edited.endswith("\nseed: 3\n")
    assert 'name: "y"   # its name' in edited
    assert "# last" not in edited
