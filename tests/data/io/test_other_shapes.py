"""Files whose rows are not interactions are refused with their form and the right one; tables are not."""

import pytest

from hybridrec.data.io.infer_schema import infer_schema
from hybridrec.data.io.inspected_file import inspect_file
from hybridrec.data.io.other_shapes import shape_of
from hybridrec.errors import DataError
from tests.data.io.ugly_files import ROWS, table

WIDE = table("reader", *(f"Song {k}" for k in range(30)), rows=[(f"r{k}", *[k % 5] * 30) for k in range(40)])
FLAGS = table(
    *(f"x{k}" for k in range(30)), rows=[[("True", "False")[(k + n) % 2] for n in range(30)] for k in range(40)]
)
BASKET = (3, "tea", "jam", "bun", *[""] * 5)
BASKETS = table("Item(s)", *(f"Item {k}" for k in range(1, 9)), rows=[BASKET] * 40)
IMPRESSIONS = table(
    rows=[(k, f"U{k % 9}", " ".join(f"N{(k * k + n) % 97}-{n % 2}" for n in range(5))) for k in range(60)],
    separator="\t",
)
NETFLIX = "".join(f"{m}:\n" + "".join(f"{u},3,2005-09-0{1 + u % 9}\n" for u in range(9)) for m in range(1, 9)).encode()
RECORDS = "".join(f"beer/name: Ale {k}\nreview/user: u{k}\nreview/overall: 4\n\n" for k in range(30)).encode()
REPORT = b"Sales 2023;;;\nby M. White;;;\n" + table(
    "customer", "product", "day", "pieces", separator=";", rows=[(u, s, f"2023-01-{1 + n:02d}", n) for u, s, n in ROWS]
)
COMMENTS = b"# Directed graph\n# Nodes: 30\n# From\tTo\n" + table(separator="\t", rows=[(u, s) for u, s, _ in ROWS])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("wide.csv", WIDE, r"30 of its 31 columns hold numbers or flags.* Right is a row for each user and item"),
        ("flags.csv", FLAGS, r"30 of its 30 columns hold numbers or flags"),
        ("baskets.csv", BASKETS, r"its 8 columns 'Item' differ in a number.* list,item"),
        ("behaviors.tsv", IMPRESSIONS, r"cells of 'column3' hold several values"),
        ("combined.txt", NETFLIX, r"lines like '1:' stand above blocks of rows.*: 1,0,3,2005-09-01"),
        ("beers.txt", RECORDS, r"each record takes several lines.* beer/name,review/user,review/overall"),
        ("report.csv", REPORT, r"the table begins in line 3: 'customer;product;day;pieces'"),
        ("graph.txt", COMMENTS, r"the table begins in line 3: '# From"),
    ],
)
def test_other_forms_are_refused_with_the_right_one(name, content, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        infer_schema([path], tmp_path)


def test_tables_of_interactions_have_no_other_shape(tmp_path):
    path = tmp_path / "plays.csv"
    path.write_bytes(table("user", "song", "rating"))
    assert shape_of(inspect_file(path, tmp_path)) == ""


def test_long_texts_and_addresses_in_the_first_line_are_no_names(tmp_path):
    path = tmp_path / "news.tsv"
    rows = [(f"N{k}", f"topic {k % 4}", f"Headline {k}", f"https://news.org/{k}") for k in range(40)]
    path.write_bytes(table(rows=rows, separator="\t"))
    assert list(inspect_file(path, tmp_path).profiles) == ["column1", "column2", "column3", "column4"]
