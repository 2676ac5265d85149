"""Agreement of our tests and metrics with those of scipy, scikit-learn and ranx."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.validity.population import Population, draw
from hybridrec.evaluation.accuracy import MeanAveragePrecision, Ndcg, Recall
from hybridrec.evaluation.metrics import EvalBatch
from hybridrec.evaluation.statistics import Totals, paired, randomization_test
from hybridrec.evaluation.summary import deciding
from hybridrec.runs.export_trec import TrecExporter
from hybridrec.runs.exporter import export
from hybridrec.runs.replay import stored_slates
from hybridrec.runs.run import Run
from hybridrec.stages import kernels
from hybridrec.types import Doubles

K = 20
METRICS = {"ndcg": Ndcg(), "map": MeanAveragePrecision(), "recall": Recall()}
EXACT = 1e-6
PERMUTATIONS = 10_000
PEER = ["ranx", "pandas<3"]

_RANX = """
import json, sys
from ranx import Qrels, Run, evaluate
qrels, run = (kind.from_file(path, kind="trec") for kind, path in zip((Qrels, Run), sys.argv[1:3]))
evaluate(qrels, run, sys.argv[3:], return_mean=False, make_comparable=True)
json.dump({name: dict(scores) for name, scores in run.scores.items()}, sys.stdout)
"""


def tests(population: Population, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Compare the t test and the randomization test with those of scipy; return a row for each quantity."""
    from scipy import stats

    drawn = draw(population, 50, 200, rng, "exchanged")
    gains = drawn.differences.sums / drawn.differences.weights
    ours = paired(Totals(gains, np.ones_like(gains)), Totals(np.ones_like(gains), np.ones_like(gains)), rng, 10)
    theirs = stats.ttest_1samp(gains, 0)
    some = gains[:, :40]
    p = randomization_test(some, rng, PERMUTATIONS)
    # scipy's own two-sided p doubles the smaller tail, which is the same except for twice the Monte Carlo variance.
    q = stats.permutation_test(
        (some,), _size, permutation_type="samples", alternative="greater", n_resamples=PERMUTATIONS, rng=rng
    ).pvalue
    error = np.sqrt(2 * p * (1 - p) / PERMUTATIONS)
    return [
        _row("t", "scipy.stats.ttest_1samp", 200, np.abs(ours.t - theirs.statistic).max(), EXACT),
        _row("p of t", "scipy.stats.ttest_1samp", 200, np.abs(ours.p_t - theirs.pvalue).max(), EXACT),
        _row("p of the randomization test, in Monte Carlo errors", "scipy.stats.permutation_test", 40,
             np.abs((p - q) / error).max(), 4.0),
    ]  # fmt: skip


def _size(gains: Doubles, axis: int) -> Doubles:
    return np.abs(gains.mean(axis=axis))


def metrics(run: Run, folder: Path, queries: int) -> list[dict[str, Any]]:
    """Compare nDCG, MAP and recall of the deciding variant with those of scikit-learn and ranx; return the rows.

    If ranx cannot be installed, a row says so.
    """
    pipeline = deciding(run.report)[0].variant
    (ids,), truth = stored_slates(run, [pipeline], "items")
    eval_batch = EvalBatch("items", ids, kernels.hits(ids, truth), truth, train=None)  # type: ignore[arg-type]
    ours = {name: metric.values(eval_batch, K) for name, metric in METRICS.items()}
    rows = [
        _row(f"{name}@{K}", "scikit-learn", *_gap(ours[name][eval_batch.relevant > 0][:queries], theirs), EXACT)
        for name, theirs in _sklearn(eval_batch, queries).items()
    ]
    try:
        scores = _ranx(run, pipeline, folder)
    except (OSError, subprocess.SubprocessError) as error:
        return [
            *rows,
            {"what": "metrics", "against": "ranx", "note": f"skipped: ranx cannot be installed here ({error})"},
        ]
    # ranx divides the precisions of MAP@k by all relevant ids, even if there are more than k.
    scores["map"] *= np.maximum(eval_batch.relevant / K, 1)
    return rows + [_row(f"{name}@{K}", "ranx", *_gap(ours[name], scores[name]), EXACT) for name in METRICS]


def _sklearn(eval_batch: EvalBatch, queries: int) -> dict[str, Doubles]:
    """Evaluate the first `queries` queries with a truth by scikit-learn, one by one: metric -> float64 [queries]."""
    from sklearn.metrics import average_precision_score, ndcg_score, recall_score

    by_metric: dict[str, list[float]] = {name: [] for name in METRICS}
    for row in np.flatnonzero(eval_batch.relevant)[:queries]:
        ids = eval_batch.ids[row, :K]
        ids, hits = ids[ids >= 0], eval_batch.hits[row, :K]
        labels, scores = eval_batch.truth[row].toarray()[0], np.zeros(eval_batch.truth.shape[1])
        scores[ids] = np.arange(len(ids), 0, -1)
        by_metric["ndcg"].append(ndcg_score([labels], [scores], k=K))
        by_metric["recall"].append(recall_score(labels, scores > 0))
        precisions = average_precision_score(labels[ids], scores[ids]) * hits.sum() if hits.any() else 0.0
        by_metric["map"].append(precisions / min(eval_batch.relevant[row], K))
    return {name: np.array(values) for name, values in by_metric.items()}


def _ranx(run: Run, pipeline: str, folder: Path) -> dict[str, Doubles]:
    """Evaluate the TREC files of the run by ranx, in a separate environment: metric -> float64 [Q]."""
    python = _environment(folder)
    names = [f"{name}@{K}" for name in METRICS]
    with tempfile.TemporaryDirectory() as place:
        export(TrecExporter(), run, Path(place, "trec"))
        files = [str(Path(place, "trec", name)) for name in ("items.qrels", f"{pipeline}.items.run")]
        command = [str(python), "-W", "ignore", "-c", _RANX, *files, *names]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    scores = json.loads(printed)
    values = {name: np.full(run.queries().height, np.nan) for name in METRICS}
    for name in METRICS:
        for query, score in scores[f"{name}@{K}"].items():
            values[name][int(query)] = score
    return values


def _environment(folder: Path) -> Path:
    """Return the interpreter of a virtual environment with ranx, which is created if it does not exist."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (folder / "ready").exists():
        print(f"installing ranx into {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEER], check=True, capture_output=True)
        (folder / "ready").touch()
    return python


def _gap(ours: Doubles, theirs: Doubles) -> tuple[int, float]:
    """Return the number of queries with a value of ours, and the largest difference of the two values of a query."""
    both = ~np.isnan(ours)
    return int(both.sum()), float(np.abs(ours[both] - theirs[both]).max())


def _row(quantity: str, against: str, cases: int, difference: float, allowed: float) -> dict[str, Any]:
    return {"what": quantity, "against": against, "cases": cases, "difference": float(difference), "allowed": allowed}
