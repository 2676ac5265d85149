"""The dialect of a text table is seen in its bytes."""

import pytest

from hybridrec.data.io import dialect
from hybridrec.data.io.dialect import dialect_of, encoding_of, is_tab_table
from hybridrec.data.io.roles import ALL_WORDS

LATIN = "a,b\nCafé de la Gare,Orléans\nÜber Brücke,Köln\nSeñor Piñata,Málaga\n"
TEXTS = {
    "cp1252": LATIN,
    "mac_roman": LATIN,
    "cp949": "노래,제목\n1,카페에서 듣는 인디\n2,사랑 노래\n" * 5,
    "cp932": "曲,名\n1,東京の夜\n" * 5,
    "cp1251": "имя,песня\n1,Катюша и другие\n" * 5,
    "utf-16": LATIN,
}


@pytest.fixture
def written(tmp_path):
    """Write bytes or a text into a file."""

    def write(content, name="t.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("encoding", TEXTS)
def test_encodings_are_told_apart(written, encoding):
    path = written(TEXTS[encoding].encode(encoding))
    assert encoding_of(path, path.read_bytes()) == encoding


def test_utf8_is_no_other_encoding_wherever_it_starts(written):
    path = written("a,b\n" + "x,y\n" * 2_000_000 + "Café,Köln\n")
    assert encoding_of(path, b"a,b") is None
    path.write_bytes(path.read_bytes() + "Café,Köln\n".encode("cp1252"))
    assert encoding_of(path, b"a,b") == "cp1252"


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("user,item\n1,2\n3,4\n", True),
        ("who,thing\n1,2\n3,4\n", True),
        ("1,2\n3,4\n", False),
        ("2024-01-01,x\n2024-01-02,y\n", False),
        ("ann,jazz\nbob,jazz\n", False),
        ("ann,jazz\nbob,rock\n", True),
    ],
)
def test_the_first_line_holds_names_or_values(written, text, header):
    dialect = dialect_of(written(text), words=ALL_WORDS)
    assert dialect.header is header
    assert ("columns" in dialect.options) is not header


def test_a_doubtful_header_is_said_and_settled(written):
    path = written("ann,jazz\nbob,rock\n")
    assert "say --no-header" in dialect_of(path, words=ALL_WORDS).reasons[0]
    dialect = dialect_of(path, header=False, words=ALL_WORDS)
    assert dialect.names == ("column1", "column2")
    assert not any("say" in reason.split() and "--no-header" in reason for reason in dialect.reasons)


@pytest.mark.parametrize(
    ("text", "is_table"),
    [
        ("a\tb\nc\td\n", True),
        ("a\tb\r\n\r\nc\td", True),
        ("a\tb\nc\n", False),
        ("a\tb\n", False),
        ("a\nb\n", False),
        ("a\tb\n" * 30 + "c", True),
        ("a\tb" * 30, False),
    ],
)
def test_a_table_with_tabs_is_known_by_its_beginning_alone(tmp_path, monkeypatch, text, is_table):
    monkeypatch.setattr(dialect, "HEAD", 100)
    path = tmp_path / "plays.dat"
    path.write_bytes(text.encode())
    assert is_tab_table(path) is is_table
    assert not is_tab_table(tmp_path / "nowhere")
