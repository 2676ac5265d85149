import pytest

from hybridrec.data.io.infer_schema import roles_of


@pytest.mark.parametrize(
    ("columns", "roles"),
    [
        (
            ["userId", "movieId", "rating", "timestamp"],
            {"user": "userId", "item": "movieId", "weight": "rating", "time": "timestamp"},
        ),
        (["//userID", "artistID", "weight"], {"user": "//userID", "item": "artistID", "weight": "weight"}),
        (["playlist_id", "pos", "track_uri"], {"user": "playlist_id", "position": "pos", "item": "track_uri"}),
        (["id", "title"], {"id": "id", "text": "title"}),
        (["song_id", "artist_name", "genres"], {"item": "song_id", "text": "artist_name", "tag": "genres"}),
        (["uid", "iid"], {"user": "uid", "item": "iid"}),
        (["artist", "song_id"], {"item": "song_id"}),
        (["session", "item", "played_at"], {"user": "session", "item": "item", "time": "played_at"}),
        (["a", "b", "곡"], {}),
    ],
)
def test_names_of_columns_say_roles(columns, roles):
    assert roles_of(columns) == roles
