"""Names and values say what role a column may have."""

import polars as pl
import pytest

from hybridrec.data.io.column_profile import profile_column
from hybridrec.data.io.roles import WORDS, best_named, name_score, ranked

ROLES = [
    (
        ["userId", "movieId", "rating", "timestamp"],
        {"user": "userId", "item": "movieId", "weight": "rating", "time": "timestamp"},
    ),
    (["//userID", "artistID", "weight"], {"user": "//userID", "item": "artistID", "weight": "weight"}),
    (["playlist_id", "pos", "track_uri"], {"user": "playlist_id", "position": "pos", "item": "track_uri"}),
    (["song_id", "artist_name", "genres"], {"item": "song_id", "text": "artist_name", "tag": "genres"}),
    (["InvoiceNo", "StockCode", "CustomerID"], {"user": "CustomerID", "item": "StockCode"}),
    (["best_book_id", "book_id"], {"item": "book_id"}),
    (["Member_number", "itemDescription"], {"user": "Member_number", "item": "itemDescription"}),
    (["session", "item", "played_at"], {"user": "session", "item": "item", "time": "played_at"}),
    (["a", "b", "곡"], {}),
]


@pytest.mark.parametrize(("columns", "roles"), ROLES)
def test_names_of_columns_show_roles(columns, roles):
    clearest = {}
    for role in ("user", "item", "weight", "time", "position", "tag", "text"):
        score, name = max((name_score(name, role)[0], name) for name in columns)
        if score >= (1.0 if role in ("user", "item") else 2.5):
            clearest[role] = name
    assert {role: clearest.get(role) for role in roles} == roles
    assert bool(clearest) == bool(roles)


def test_words_are_singular_and_lower():
    assert all(word == word.lower() for words in WORDS.values() for word in words)


@pytest.fixture
def profiles():
    """Profiles of a customer, a basket of one moment, a time of day, a product, and a price."""
    frame = pl.DataFrame(
        {
            "customer": [f"c{k % 7}" for k in range(70)],
            "receipt": [f"r{k}" for k in range(70)],
            "clock": [f"{k % 24}:15" for k in range(70)],
            "product": [f"p{k % 9}" for k in range(70)],
            "price": [f"{k}.99" for k in range(70)],
        }
    )
    return {name: profile_column(frame[name]) for name in frame.columns}


def test_users_come_back_and_times_of_day_are_no_ids(profiles):
    users = ranked(profiles, "user")
    assert [users[0].column, users[1].column] == ["customer", "receipt"]
    assert "no value repeats" in users[1].reasons
    assert ranked(profiles, "item")[0].column == "product"
    assert not {"clock", "price"} & {candidate.column for candidate in ranked(profiles, "item")}


def test_the_clearest_name_of_a_type_counts(profiles):
    assert best_named(profiles, "price", ("number",)) == "price"
    assert best_named(profiles, "price", ("text",)) is None
    assert ranked(profiles, "item", {"customer": (9.0, "another file says so")})[0].column == "customer"
