"""Training by gensim, with arrays as results: the vectors of all tokens, and the loss of every epoch."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hybridrec import Doubles, Floats, MissingDependencyError
from hybridrec_word2vec.space import Sentences

if TYPE_CHECKING:
    from gensim.models import Word2Vec as Trainer

    from hybridrec_word2vec.embedding import Word2VecOptions


class Trained(NamedTuple):
    """Result of training.

    inputs, outputs: float32 [tokens, dim]; NaN rows for tokens without a vector
    losses: float64 [epochs], the negative-sampling loss of each epoch, per token of the sentences
    """

    inputs: Floats
    outputs: Floats
    losses: Doubles


def train(sentences: Sentences, options: Word2VecOptions, seed: int, report: Callable[..., None]) -> Trained:
    """Train on all sentences; with one worker the result depends on the seed alone.

    `report` is called after each epoch with the same arguments as `Component.report`, and the epoch's `loss`.

    Several workers read each pass from a file: fed with Python lists they would wait for the interpreter lock, and
    not be faster than one.
    """
    vectors = np.full((2, len(sentences.counts), options.dim), np.nan, np.float32)
    frequent = np.flatnonzero(sentences.counts >= options.min_count)
    if not len(frequent):
        return Trained(vectors[0], vectors[1], np.empty(0))
    model = _trainer(sentences.longest, options, seed)
    losses: list[float] = []
    counts = {str(token): int(sentences.counts[token]) for token in frequent}
    total = int(sentences.counts.sum())
    model.build_vocab_from_freq(counts, corpus_count=len(sentences))

    def watch() -> None:
        report(len(losses), options.epochs, loss=losses[-1] / total)

    size = {"total_examples": len(sentences), "total_words": total}
    watched = {"compute_loss": True, "callbacks": [_recorder(losses, watch)]}
    if options.workers == 1:
        model.train(sentences, epochs=options.epochs, **size, **watched)
    else:
        _train_from_files(model, sentences, **size, **watched)
    tokens = np.array(model.wv.index_to_key, np.int64)
    vectors[0, tokens], vectors[1, tokens] = model.wv.vectors, model.syn1neg
    return Trained(vectors[0], vectors[1], np.array(losses) / total)


def _train_from_files(model: Trainer, sentences: Sentences, **how: Any) -> None:
    """Train pass by pass, each from a newly shuffled file, at the learning rates of one continuous training."""
    rates = np.linspace(model.alpha, model.min_alpha, model.epochs + 1).tolist()
    with TemporaryDirectory() as folder:
        file = Path(folder, "sentences.txt")
        for start, end in pairwise(rates):
            sentences.write(file)
            model.train(corpus_file=str(file), epochs=1, start_alpha=start, end_alpha=end, **how)


def _trainer(longest: int, options: Word2VecOptions, seed: int) -> Trainer:
    """Create gensim's model; raises MissingDependencyError if gensim is not installed."""
    try:
        from gensim.models import Word2Vec as Trainer
    except ImportError as error:
        raise MissingDependencyError(
            f"Word2Vec needs the library gensim, which cannot be imported ({error}); {INSTALL_HINT}"
        ) from error
    return Trainer(
        vector_size=options.dim,
        window=options.window or longest,
        shrink_windows=options.shrink_windows,
        epochs=options.epochs,
        sg=int(options.algorithm == "skip-gram"),
        negative=options.negative,
        ns_exponent=options.ns_exponent,
        sample=options.sample,
        min_count=options.min_count,
        alpha=options.alpha,
        seed=seed,
        workers=options.workers,
    )


INSTALL_HINT = (
    "pip install 'hybridrec[word2vec]'"
    if sys.version_info < (3, 14)
    else ("gensim has wheels for Python up to 3.13: use one of these, or `pip install gensim` with a C compiler")
)


def _recorder(losses: list[float], watch: Callable[[], None]) -> Any:
    """Create a gensim callback that appends the loss of each epoch, then calls `watch`."""
    from gensim.models.callbacks import CallbackAny2Vec

    class Recorder(CallbackAny2Vec):  # type: ignore[misc]
        def on_epoch_end(self, model: Trainer) -> None:
            losses.append(float(model.get_latest_training_loss()))
            # gensim adds up over epochs in 32 bits, so later losses vanish in a large sum.
            model.running_training_loss = 0.0
            watch()

    return Recorder()
