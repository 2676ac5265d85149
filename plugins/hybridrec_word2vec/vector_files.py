"""Export of a fitted vector model for other tools: vectors as word2vec text, the vocabulary, the model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from hybridrec import ConfigError, Exporter, Floats, Options, VectorModel, did_you_mean, load

if TYPE_CHECKING:
    import polars as pl

    from hybridrec import Recommender, Run


class Word2VecExportOptions(Options):
    """Options of `word2vec`."""

    label: str | None = None
    """Label of the component whose vectors are written; may be left out where only one has vectors."""


class Word2VecExporter(Exporter):
    """The learned vectors of a component in the text format of word2vec; the run was made with `refit: all`.

    `LABEL.KIND.txt`, with KIND items, tags or words, has one line "number dimensions", then one for each id that
    has a vector: the id, blanks and % in it percent-encoded, and its values. gensim's
    `KeyedVectors.load_word2vec_format` reads it. `LABEL.vocabulary.csv` has kind, id, name, and the number of users
    who have it in training (empty for words), `LABEL.npz` the state of the component.
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
    spaces = _spaces(recommender, component)
    paths = [_write_vectors(folder / f"{label}.{kind}.txt", *space) for kind, space in spaces.items()]
    vocabulary, model = folder / f"{label}.vocabulary.csv", folder / f"{label}.npz"
    _vocabulary(recommender, spaces).write_csv(vocabulary)
    np.savez(model, **component.state())  # type: ignore[arg-type]  # numpy's stub takes names for its one option
    return [*paths, vocabulary, model]


def _chosen(recommender: Recommender, label: str | None) -> tuple[str, VectorModel]:
    fitted = recommender.components
    models = {name: component for name, component in fitted.items() if isinstance(component, VectorModel)}
    if label is None and len(models) == 1:
        return next(iter(models.items()))
    if label is None:
        raise ConfigError(
            f"choose the component with --set label=LABEL: {', '.join(sorted(models)) or 'no component has any'}"
        )
    if label not in fitted:
        raise ConfigError(f"no component is labelled '{label}': {did_you_mean(label, fitted)}")
    if label not in models:
        raise ConfigError(f"'{label}' has no vectors; {', '.join(sorted(models)) or 'no component'} has")
    return label, models[label]


def _spaces(recommender: Recommender, component: VectorModel) -> dict[str, tuple[pl.Series, Floats]]:
    """Return ids and vectors of items, other entities and words, for each kind that the component has."""
    data = recommender.data
    spaces: dict[str, tuple[pl.Series, Floats]] = {
        target: (data.vocabulary(target).ids, component.vectors(target))
        for target in data.targets
        if component.recommends(target)
    }
    words = component.word_vectors()
    return spaces if words is None else spaces | {"words": (words[0].ids, words[1])}


def _write_vectors(path: Path, ids: pl.Series, vectors: Floats) -> Path:
    import polars as pl

    has_vector = ~np.isnan(vectors).any(axis=1)
    tokens = pl.Series("token", [_escaped(text) for text in ids.filter(pl.Series(has_vector))], dtype=pl.String)
    with path.open("wb") as file:
        file.write(f"{len(tokens)} {vectors.shape[1]}\n".encode())
        rows = pl.DataFrame(vectors[has_vector]).insert_column(0, tokens)
        rows.write_csv(file, separator=" ", include_header=False, quote_style="never")
    return path


def _escaped(text: str) -> str:
    return re.sub(r"[\s%]", lambda match: quote(match[0]), text)


def _vocabulary(recommender: Recommender, spaces: dict[str, tuple[pl.Series, Floats]]) -> pl.DataFrame:
    """Return one row per id with a vector: kind, id, name, and the number of users who have it (null for words)."""
    import polars as pl

    data = recommender.data
    names = {kind: entities.names() for kind, entities in data.entities.items()}
    counts = {}
    if recommender.knows_users:
        counts = {kind: data.user_matrix(kind).getnnz(axis=0) for kind in data.targets}
    frames = [
        pl.DataFrame({"kind": [kind] * len(ids), "id": ids, "name": pl.Series(names.get(kind, ids), dtype=pl.String)})
        .with_columns(count=pl.Series(counts[kind], dtype=pl.Int64) if kind in counts else pl.lit(None, pl.Int64))
        .filter(pl.Series(~np.isnan(vectors).any(axis=1)))
        for kind, (ids, vectors) in spaces.items()
    ]
    return pl.concat(frames)
