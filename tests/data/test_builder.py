"""Tables with external ids become a Dataset: every field at its code, nothing lost, nothing misspelt."""

import numpy as np
import polars as pl
import pytest

from hybridrec import DataError, PluginError
from hybridrec.data.builder import Tables, assemble
from tests.data.builders import complete


def test_assembling_keeps_order_repeats_and_silent_users():
    data = complete()
    me, silent = data.users.vocabulary.encode(["me", "silent"])
    history = data.interactions.take(np.array([me, silent]))
    assert [data.items.vocabulary.ids[int(item)] for item in history.ids] == ["🎸", "b", "🎸"]  # by time
    assert history.lengths.tolist() == [3, 0]
    assert history.groups.tolist() == [0, 2, 0]
    assert history.gains.tolist() == [9, 2, 0]


def test_assembling_passes_over_tags_of_strangers():
    data = complete()
    assert set(data.vocabulary("tags").ids) == {"rock", "jazz", "loud"}  # "pop" belongs to nobody


def test_assembled_fields_stand_at_their_codes():
    data = complete()
    new, b = data.items.vocabulary.encode(["new", "b"])
    assert data.items.text[new] == "Neu"  # of two rows the first
    assert data.items.text[b] == ""
    assert data.items.times[new] == 5.0
    assert np.isnan(data.items.times[b])
    assert data.items.vectors[new].tolist() == [1, 1, 1]
    assert data.items.vectors[b].tolist() == [0, 0, 0]
    assert data.user_matrix("tags")[data.users.vocabulary.encode(["me"])[0]].sum() == 4  # two declared, two assigned


ONE = pl.DataFrame({"user": ["u"], "item": ["i"]})
NULL = pl.Series([None, "a"], dtype=pl.String)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"entities": {"items": pl.DataFrame({"id": ["i"], "txt": ["I"]})}}, "has the unknown column 'txt'"),
        (
            {"entities": {"items": pl.DataFrame({"id": ["i"], "title": ["I"]})}},
            "the unknown column 'title'; it may have id, text, time",
        ),
        ({"interactions": pl.DataFrame({"user": ["u"]})}, "Tables.interactions lacks the column 'item'"),
        ({"interactions": ONE.rename({"item": "itme"})}, "lacks the column 'item'; it has user, itme"),
        ({"entities": {"users": ONE.lazy()}}, r"Tables.entities\['users'\] must be a polars DataFrame, not LazyFrame"),
    ],
)
def test_tables_take_their_own_columns_and_no_others(tables, message):
    with pytest.raises(PluginError, match=message):
        Tables(**{"interactions": ONE, **tables})


def test_tables_pass_over_the_numbers_of_lines():
    assert len(assemble(Tables(ONE.with_columns(line=1))).items) == 1


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"interactions": pl.DataFrame({"user": ["u", "v"], "item": NULL})}, "interactions: 1 of 2 ids .* 'item'"),
        (
            {"entities": {"users": pl.DataFrame({"id": NULL})}},
            r"entities\['users'\]: 1 of 2 ids missing .* column 'id'",
        ),
        (
            {"item_has": {"tags": pl.DataFrame({"item": ["i", "i"], "id": NULL})}},
            r"item_has\['tags'\]: 1 of 2 ids .* 'id'",
        ),
        (
            {"labels": {"items": pl.DataFrame({"id": ["i", "i"], "feature": NULL})}},
            r"labels\['items'\]: 1 of 2 .* 'feature'",
        ),
    ],
)
def test_a_missing_id_is_told_with_table_and_column(tables, message):
    with pytest.raises(DataError, match=message):
        assemble(Tables(**{"interactions": ONE, **tables}))
