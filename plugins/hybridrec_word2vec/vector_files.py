"""Export of a fitted vector model for other tools: its vectors in word2vec's text format, vocabulary and state."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from hybridrec import ConfigError, Embedding, Exporter, Options, VectorModel, did_you_mean, load, positions

if TYPE_CHECKING:
    import polars as pl

    from hybridrec import Recommender, Run


class Word2VecExportOptions(Options):
    """Options of the exporter `word2vec`: the component whose vectors are written."""

    label: str | None = None
    """Label of the component whose vectors are written; may be left out where only one has vectors."""


class Word2VecExporter(Exporter):
    """The learned vectors of a component in the text format of word2vec, from a run that was made with `refit: all`.

    `LABEL.KIND.txt`, one for each kind of which the component has vectors (items, tags and other kinds, users, features
    of items, words), has one line "number dimensions", then one for each id that has a vector: the id, blanks and % in
    it percent-encoded, and its values. gensim's `KeyedVectors.load_word2vec_format` reads it. `LABEL.vocabulary.csv`
    has the columns `kind`, `id`, `name`, `count` (the number of training users who have the id, or the number of items
    of a user; empty if unknown) and `position`, the id's place by the count among all of its kind. `LABEL.npz` is the
    state of the component, if it has one of its own.
    """

    name = "word2vec"
    Config = Word2VecExportOptions
    config: Word2VecExportOptions

    def export(self, run: Run, folder: Path) -> list[Path]:
        """Write the vectors, the vocabulary and the state; raises ConfigError if the component has no vectors."""
        return export(load(run), folder, self.config.label)


def export(recommender: Recommender, folder: Path, label: str | None = None) -> list[Path]:
    """Write the vectors and the state of the component `label`, by default the only one with vectors; return the paths.

    Raises ConfigError if the component has no vectors.
    """
    label, component = _chosen(recommender, label)
    folder.mkdir(parents=True, exist_ok=True)
    embeddings, state = recommender.embeddings(label), component.state()
    paths = [_write_vectors(folder / f"{label}.{kind}.txt", embedding) for kind, embedding in embeddings.items()]
    vocabulary, model = folder / f"{label}.vocabulary.csv", folder / f"{label}.npz"
    _vocabulary(recommender, embeddings).write_csv(vocabulary)
    if not state:
        return [*paths, vocabulary]
    np.savez(model, **state)  # type: ignore[arg-type]  # numpy's stub takes names for its one option
    return [*paths, vocabulary, model]


def _chosen(recommender: Recommender, label: str | None) -> tuple[str, VectorModel]:
    fitted = recommender.components
    models = {name: component for name, component in fitted.items() if isinstance(component, VectorModel)}
    if label is None and len(models) == 1:
        return next(iter(models.items()))
    if label is None:
        raise ConfigError(
            "choose the component with --set label=LABEL; "
            f"components with vectors: {', '.join(sorted(models)) or 'none'}"
        )
    if label not in fitted:
        raise ConfigError(f"no component is labelled '{label}': {did_you_mean(label, fitted)}")
    if label not in models:
        raise ConfigError(f"'{label}' has no vectors; components with vectors: {', '.join(sorted(models)) or 'none'}")
    return label, models[label]


def _write_vectors(path: Path, embedding: Embedding) -> Path:
    import polars as pl

    has_vector = ~np.isnan(embedding.vectors).any(axis=1)
    ids = embedding.vocabulary.ids.filter(pl.Series(has_vector))
    tokens = pl.Series("token", [_escaped(text) for text in ids], dtype=pl.String)
    with path.open("wb") as file:
        file.write(f"{len(tokens)} {embedding.vectors.shape[1]}\n".encode())
        rows = pl.DataFrame(embedding.vectors[has_vector]).insert_column(0, tokens)
        rows.write_csv(file, separator=" ", include_header=False, quote_style="never")
    return path


def _escaped(text: str) -> str:
    return re.sub(r"[\s%]", lambda match: quote(match[0]), text)


def _vocabulary(recommender: Recommender, embeddings: dict[str, Embedding]) -> pl.DataFrame:
    """Return a row for each id with a vector: `kind`, `id`, `name`, `count`, `position`.

    `count` and `position` are null for kinds whose counts are unknown.
    """
    import polars as pl

    entities = recommender.data.entities
    frames = []
    for kind, embedding in embeddings.items():
        ids = embedding.vocabulary.ids
        counts = embedding.counts
        numbers = {"count": counts, "position": None if counts is None else positions(counts)}
        names = entities[kind].names() if kind in entities else ids
        frames.append(
            pl.DataFrame({"kind": [kind] * len(ids), "id": ids, "name": pl.Series(names, dtype=pl.String)})
            .with_columns(pl.Series(name, values, dtype=pl.Int64) for name, values in numbers.items())
            .filter(pl.Series(~np.isnan(embedding.vectors).any(axis=1)))
        )
    return pl.concat(frames)
