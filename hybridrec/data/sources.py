"""What the options of `table` say of each file: where it lies, and which of its columns is what."""

from __future__ import annotations

from pydantic import Field

from hybridrec.data.columns import TimeUnit
from hybridrec.data.files import Source


class Interactions(Source):
    """Who met what: one row for each time a user played, bought or rated an item, or put it on a list."""

    user: str
    """Column of the user, playlist or session; any type, read as text."""

    item: str
    """Column of the item; any type, read as text. Repeated pairs are kept as repeats.

    In a list column (Parquet, JSON Lines) each entry is an interaction: a row can be a whole playlist.
    """

    time: str | None = None
    """Column of the time: a number, or an ISO 8601 date or datetime (without a zone: UTC)."""

    time_unit: TimeUnit = "s"
    """What numbers in the time column count, since 1970."""

    weight: str | None = None
    """Column of the rating or count; not negative. Rows of weight 0 are no interactions and are left out."""

    position: str | None = None
    """Column of the place within the user's history; by default the time orders it, or else the file."""

    group: str | None = None
    """Column of an integer that a split may go by, such as the number of a published fold."""


class Described(Source):
    """What is known of users or items, one row each."""

    id: str
    """Column of the user or item. Of several rows for one, the first gives title, text and time."""

    tags: tuple[str, ...] | dict[str, str] = ()
    """Columns of tags. A mapping {column: kind} makes tags like "kind:value"."""

    features: tuple[str, ...] = ()
    """Columns of features; each value becomes the feature "column:value"."""

    tag_separator: str = Field(default="|", min_length=1)
    """Between several values in one text of a tag or feature column; list columns need none."""


class Users(Described):
    """What is known of users; it may list users without interactions."""

    title: str | None = None
    """Column of the title: a playlist's name, say."""


class Items(Described):
    """What is known of items; it may list items without interactions, and those can be recommended too."""

    text: tuple[str, ...] = ()
    """Columns of the readable text (title, artist), joined with " - "."""

    time: str | None = None
    """Column of when the item came out: as in interactions, or a year."""

    time_unit: TimeUnit = "s"
    """What numbers in the time column count, since 1970."""


class Tags(Source):
    """Tags, one a row."""

    tag: str
    """Column of the tag."""

    weight: str | None = None
    """Column of the weight; 1 by default."""


class UserTags(Tags):
    """Tags of users, one a row."""

    user: str
    """Column of the user; unknown ones are passed over."""

    @property
    def owner(self) -> str:
        """The column of who has the tag."""
        return self.user


class ItemTags(Tags):
    """Tags of items, one a row."""

    item: str
    """Column of the item; unknown ones are passed over."""

    @property
    def owner(self) -> str:
        """The column of what has the tag."""
        return self.item


class Assignments(Source):
    """Who gave which tag to which item, one a row; a split hides the rows of hidden (user, item) pairs."""

    user: str
    """Column of the user; unknown ones are passed over."""

    item: str
    """Column of the item; unknown ones are passed over."""

    tag: str
    """Column of the tag."""


class ItemVectors(Source):
    """Dense content of items: audio or text embeddings; items that are not listed get zeros."""

    id: str = "id"
    """Column of the item (Parquet, JSON Lines). A .npy file has one row for each row of the `items` file; it is read
    in blocks, and `hybridrec reduce` makes a small one of a large one."""

    vector: str = "vector"
    """Column of the vector, a list of numbers (Parquet, JSON Lines)."""
