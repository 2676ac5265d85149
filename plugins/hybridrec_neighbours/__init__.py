"""Neighbours among users: playlists, sessions or people with the same items, tags and title words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`user-knn`."""
    from hybridrec_neighbours.users import UserKNN

    return [UserKNN]
