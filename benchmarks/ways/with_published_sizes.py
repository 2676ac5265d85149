"""Cost of epochs of a published system: `with_published_sizes.py SYSTEM WORKERS EPOCHS SHRINK` prints it."""

import json
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import gensim.models  # noqa: F401  (imports are nobody's time)
import numpy as np

from benchmarks.published_sizes import SYSTEMS
from hybridrec_word2vec import embedding
from hybridrec_word2vec.embedding import Word2Vec


def private():
    """Return the bytes of memory that only this process uses (Linux)."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


class Peak(threading.Thread):
    """Thread that records the largest private memory of this process, twice a second until `ended` is set."""

    def __init__(self):
        super().__init__(daemon=True)
        self.bytes, self.ended = private(), threading.Event()

    def run(self):
        """Update `bytes` twice a second until `ended` is set."""
        while not self.ended.wait(0.5):
            self.bytes = max(self.bytes, private())


def main():
    """Draw the data, train, and print the measurements."""
    system, (workers, n_epochs, shrink) = SYSTEMS[sys.argv[1]], map(int, sys.argv[2:])
    data = system.dataset(shrink)
    model = Word2Vec(Word2Vec.Config.model_validate(system.options(epochs=n_epochs, workers=workers)))
    ends = []
    model._reporter = lambda *_: ends.append((time.perf_counter(), time.process_time()))
    size, train = {}, embedding.train

    def sized(sentences, options, *others):
        """Record the numbers of tokens and of vectors, and the time before the first epoch; then train."""
        counts = sentences.counts
        size.update(tokens=int(counts.sum()), vocabulary=int((counts >= options.min_count).sum()))
        ends.append((time.perf_counter(), time.process_time()))
        return train(sentences, options, *others)

    embedding.train = sized
    estimate, held = model.memory(data), private()
    peak = Peak()
    peak.start()
    started = time.perf_counter(), time.process_time()
    model.fit(data, np.random.default_rng(0))
    peak.ended.set()
    peak.join()
    before, *epochs = (
        {"wall": end[0] - start[0], "cpu": end[1] - start[1]} for start, end in pairwise([started, *ends])
    )
    told = {
        "epochs": epochs,
        "before": before,
        "private": max(peak.bytes, private()),
        "data": held,
        "estimate": estimate,
        "lists": len(data.users),
        "songs": len(data.items),
        **size,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
