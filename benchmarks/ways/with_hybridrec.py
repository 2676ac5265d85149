"""ALS job as a run of hybridrec, from YAML to report: `with_hybridrec.py PAIRS.parquet`."""

import json
import sys
import tempfile
from pathlib import Path

import implicit.cpu.als  # noqa: F401  (imports are nobody's time)
import job
import polars as pl  # noqa: F401

from hybridrec import run
from hybridrec.registry.discovery import Registry

clock = job.Clock()
config = {
    "name": "als",
    "data": {
        "reader": "table",
        "interactions": {"path": str(Path(sys.argv[1]).resolve()), "user": "user", "item": "item", "group": "fold"},
    },
    "split": {"use": "folds"},
    "components": {
        "als": {
            "factors": job.FACTORS,
            "iterations": job.ITERATIONS,
            "regularization": job.REGULARIZATION,
            "alpha": job.CONFIDENCE - 1,
            "column_power": 0,
        }
    },
    "targets": {"items": job.TOP},
    "pipelines": {"als": {"generators": [{"from": "als", "k": job.TOP}], "fallback": []}},
    "compare": {"metrics": ["ndcg@10", f"recall@{job.TOP}"]},
    "workers": job.THREADS,
}
Registry()
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "als.yaml"
    file.write_text(json.dumps(config))
    clock.phase("import")
    report = run(file, store=Path(folder) / "store", runs=Path(folder) / "runs").report
    clock.phase("run")
metrics = report.pipelines["als"].segments["all"].metrics
seconds = report.seconds.model_dump()
job.told(
    clock,
    asked=sum(seconds[stage] for stage in ("generate", "score", "rerank")),
    stages={stage: took for stage, took in seconds.items() if took},
    ndcg=metrics["ndcg@10"].mean,
    recall=metrics[f"recall@{job.TOP}"].mean,
    queries=report.pipelines["als"].queries,
)
