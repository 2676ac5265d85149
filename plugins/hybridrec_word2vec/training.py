"""gensim's training, in arrays: the vectors of all tokens, and the loss of every epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hybridrec import Doubles, Floats, MissingDependencyError
from hybridrec_word2vec.space import Sentences

if TYPE_CHECKING:
    from gensim.models import Word2Vec as Trainer

    from hybridrec_word2vec.model import Word2VecOptions


class Trained(NamedTuple):
    """What training gives.

    inputs, outputs: float32 [tokens, dim]; NaN rows for tokens without a vector
    losses: float64 [epochs], the negative-sampling loss of each epoch, per token of the sentences
    """

    inputs: Floats
    outputs: Floats
    losses: Doubles


def train(sentences: Sentences, options: Word2VecOptions, seed: int) -> Trained:
    """Learn from all sentences; with one worker the result depends on the seed alone."""
    vectors = np.full((2, len(sentences.counts), options.dim), np.nan, np.float32)
    frequent = np.flatnonzero(sentences.counts >= options.min_count)
    if not len(frequent):
        return Trained(vectors[0], vectors[1], np.empty(0))
    model = _trainer(sentences.longest, options, seed)
    losses: list[float] = []
    counts = {str(token): int(sentences.counts[token]) for token in frequent}
    total = int(sentences.counts.sum())
    model.build_vocab_from_freq(counts, corpus_count=len(sentences))
    model.train(
        sentences,
        total_examples=len(sentences),
        total_words=total,
        epochs=model.epochs,
        compute_loss=True,
        callbacks=[_recorder(losses)],
    )
    tokens = np.array(model.wv.index_to_key, np.int64)
    vectors[0, tokens], vectors[1, tokens] = model.wv.vectors, model.syn1neg
    return Trained(vectors[0], vectors[1], np.array(losses) / total)


def _trainer(longest: int, options: Word2VecOptions, seed: int) -> Trainer:
    """gensim's model; raises MissingDependencyError where gensim is not installed."""
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
        workers=1,
    )


INSTALL_HINT = "pip install 'hybridrec[word2vec]'"


def _recorder(losses: list[float]) -> Any:
    """A callback of gensim that appends the loss of each epoch."""
    from gensim.models.callbacks import CallbackAny2Vec

    class Recorder(CallbackAny2Vec):  # type: ignore[misc]
        def on_epoch_end(self, model: Trainer) -> None:
            losses.append(float(model.get_latest_training_loss()))
            # gensim adds up over epochs, in 32 bits, which stands still where the sum has become large.
            model.running_training_loss = 0.0

    return Recorder()
