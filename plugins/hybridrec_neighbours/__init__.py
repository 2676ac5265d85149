"""Neighbours among users: users (people, playlists, sessions) with the same items, tags and title words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component, DataProfile, Starter


NEIGHBOUR_USERS = 200_000
"""Largest number of users for which `user-knn` is proposed: each query is compared with all of them."""


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`user-knn`, which lets the most similar training users vote."""
    from hybridrec_neighbours.users import UserKNN

    return [UserKNN]


@hookimpl
def hybridrec_starters(data: DataProfile) -> list[Starter]:
    """Propose `user-knn` unless there are too many users."""
    from hybridrec import Starter

    if data.users > NEIGHBOUR_USERS:
        return []
    return [Starter("user-knn", frozenset({"generator", "scorer"}), priority=70)]
