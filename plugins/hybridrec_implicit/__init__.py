"""Matrix factorization and item neighbours, mostly from the `implicit` library, and vectors of other trainers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hybridrec import Component, DataProfile, Starter, StarterConfig


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """Matrix factorizations, `als`, `bpr`, `wmf` and `vectors` of files, by any similarity; `item-knn`."""
    from hybridrec_implicit.als import ALS
    from hybridrec_implicit.bpr import BPR
    from hybridrec_implicit.knn import ItemKNN
    from hybridrec_implicit.other_similarity import OtherSimilarity
    from hybridrec_implicit.vector_files import VectorFiles
    from hybridrec_implicit.wmf import WMF

    return [ALS, BPR, ItemKNN, OtherSimilarity, VectorFiles, WMF]


@hookimpl
def hybridrec_starters(data: DataProfile) -> list[Starter | StarterConfig]:
    """Propose `als`, also as the control, and `item-knn`: their costs grow only with the number of interactions.

    Good values of `alpha` and `b` differ between data sets, so they are chosen on validation queries.

    For files in the form of the Million Song Dataset Challenge, the configs of that challenge are proposed as well. The
    form is: triplets of user, item and count without a header, and a second file with the names of the items.
    """
    from hybridrec import Starter, StarterConfig

    interactions = data.data.get("interactions")
    triplets = isinstance(interactions, dict) and interactions.get("columns") == ["user", "item", "count"]
    challenge = ("million-song", "published/three-stage") if triplets and data.texts else ()
    changes = {"data.items": _as_in_the_challenge(data.data["items"])} if challenge else {}
    return [
        Starter(
            "als",
            frozenset({"control", "generator", "scorer"}),
            {"factors": 64},
            priority=100,
            choose={"alpha": (3, 1, 10)},
        ),
        Starter("item-knn", frozenset({"generator", "scorer"}), priority=90, choose={"b": (0.2, 0, 0.75)}),
        *(
            StarterConfig(f"plugin:core/configs/{name}.yaml", changes, priority=-place)
            for place, name in enumerate(challenge)
        ),
    ]


def _as_in_the_challenge(items: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of the file of songs as the configs of the challenge have them.

    Artists and lyrics are texts, and artists are tags as well. Neither they nor the year, which is the time of a song,
    are features.
    """
    artist_columns, features = ("artist", "artist_name"), items.get("features", ())
    texts = [*items["text"], *(name for name in features if name in (*artist_columns, "lyrics"))]
    changed = {
        "text": texts,
        "tags": {name: "artist" for name in texts if name in artist_columns},
        "features": [name for name in features if name not in (*texts, items.get("time"))],
    }
    return {name: value for name, value in {**items, **changed}.items() if value}
