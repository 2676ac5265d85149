"""Sweep over settings of Word2Vec, whose metrics and losses of each epoch are written into docs/word2vec.md.

    pip install -e '.[word2vec,docs]'
    python -m benchmarks.word2vec                  # ten minutes on one core
    python -m benchmarks.word2vec rates            # two minutes; takes rock radio where it is

One run has a component for each variant of the settings of `word2vec` in configs/song2vec-setlists.yaml. All are
asked the same queries, so that every variant is compared with the config's own settings query by query. `rates`
measures learning rates of gensim that may replace the rate of Adam in configs/published/spotify-skip-gram.yaml, by
validation and test queries.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.readme import ROOT, markdown, write
from benchmarks.systems.data import CONFIGS
from hybridrec import Run, run
from hybridrec.engine.store import Store
from hybridrec.evaluation.report import MetricReport
from hybridrec.evaluation.summary import cell

CONFIG = ROOT / "configs" / "song2vec-setlists.yaml"
PAGE = ROOT / "docs" / "word2vec.md"
PICTURE = ROOT / "docs" / "word2vec-loss.svg"
BASE = "word2vec"
METRIC = "hit-rate@25"
VARIED: dict[str, list[Any]] = {
    "ns_exponent": [-0.5, 0, 0.25, 0.75, 1],
    "epochs": [5, 15, 30, 120],
    "window": [1, 3, 5, 10],
    "shrink_windows": [False],
    "context": [4, 10, None],
    "sample": [0.001, 0.01],
    "score": ["cosine"],
    "algorithm": ["cbow"],
    "dim": [16, 32, 128],
    "negative": [5, 20],
    "shuffle": [True],
}


SKIP_GRAM = ROOT / "configs" / "published" / "spotify-skip-gram.yaml"
RATES = (0.001, 0.005, 0.025, 0.05, 0.1, 0.2)
"""Learning rates of gensim that are compared; 0.001 is the published rate of Adam, 0.025 the usual one here."""
LISTS = {"concerts": CONFIGS / "setlists.yaml", "rock radio": CONFIGS / "radio.yaml"}
"""Name of a collection of lists on which rates are compared -> config with its data."""


def main() -> None:
    """Run the sweep and rewrite the page and the picture."""
    experiment = sweep(yaml.safe_load(CONFIG.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as place:
        config = Path(place, "word2vec-sweep.yaml")
        config.write_text(yaml.safe_dump(experiment, sort_keys=False), encoding="utf-8")
        finished = run(config)
        base = experiment["components"][BASE]
        write(PAGE, {"word2vec sweep": table(finished, base, list(experiment["components"]))})
        draw(finished, Store.default())


def main_of_rates() -> None:
    """Compare learning rates on all collections of lists whose files exist, and rewrite the table of rates."""
    experiment = yaml.safe_load(SKIP_GRAM.read_text(encoding="utf-8"))
    means: dict[str, list[MetricReport]] = {}
    for name, config in LISTS.items():
        data = yaml.safe_load(config.read_text(encoding="utf-8"))["data"]
        if "folder" in data:
            data["folder"] = str(config.parent / data["folder"])
            if not Path(data["folder"]).exists():
                print(f"{name}: skipped, {data['folder']} is not there")
                continue
        document = rates(experiment, data)
        for validation in (True, False):
            report = run(document, validation=validation).report
            heading = f"{name}, {'validation' if validation else 'test'}"
            means[heading] = [arm.metrics[METRIC] for arm in report.pipelines.values()]
    write(PAGE, {"word2vec rates": rate_table(means)})


def rates(experiment: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Return the experiment on other lists, with a component and a pipeline for popularity and for each rate.

    The queries have the task of skip-gram: the songs within the window of a song ask for that song, and candidates are
    scored by the output vectors, by which training predicts.
    """
    base = {"use": "word2vec", **experiment["components"]["word2vec"], "score": "input-output"}
    components = {"popularity": {}} | {str(rate): base | {"alpha": rate} for rate in RATES}
    pipelines = {label: {"generators": [{"from": label, "k": 25}], "fallback": []} for label in components}
    return experiment | {
        "name": "word2vec-rates",
        "data": data,
        "split": {"use": "each-position", "window": base["window"], "test": 0.2, "validation": 0.2},
        "targets": {"items": 25},
        "components": components,
        "pipelines": pipelines,
        "compare": {"control": "popularity", "metrics": [METRIC]},
        "refit": "none",
    }


def rate_table(means: dict[str, list[MetricReport]]) -> str:
    """Render a table with a row for popularity and for each rate; the best value of each column is bold.

    means: name of a column -> its values, row by row
    """
    rows = [["`alpha`", *means], ["---", *["---:"] * len(means)]]
    best = {name: max(column, key=lambda metric: metric.mean or 0) for name, column in means.items()}
    for place, label in enumerate(("popularity", *RATES)):
        cells = [(cell(column[place]), column[place] is best[name]) for name, column in means.items()]
        rows.append([str(label), *(f"**{text}**" if is_best else text for text, is_best in cells)])
    return markdown(rows)


def variants() -> list[tuple[str, str, Any]]:
    """Return label, option and value of every variant; its component and its pipeline have this label."""
    return [(f"{option}-{value}".lower(), option, value) for option in VARIED for value in VARIED[option]]


def sweep(experiment: dict[str, Any]) -> dict[str, Any]:
    """Return the experiment with a component and a pipeline for the base and each variant that differs from it."""
    base = {"use": "word2vec", **experiment["components"][BASE]}
    components = {BASE: base}
    for label, option, value in variants():
        if value != base.get(option):
            components[label] = base | {option: value}
    pipelines = {
        label: {"generators": [{"from": label, "k": 25}], "fallback": [], "seen": "exclude"} for label in components
    }
    compare = {"control": BASE, "metrics": [METRIC]}
    parts = {"components": components, "pipelines": pipelines, "compare": compare}
    return experiment | {"name": "word2vec-sweep"} | parts


def table(finished: Run, base: dict[str, Any], labels: list[str]) -> str:
    """Render a table with a row for each variant, with the option that it changes and the gain on the base."""
    report = finished.report
    against = {row.variant: row for row in report.comparison if row.metric == METRIC and row.segment == "all"}
    rows = [["option", "value", METRIC, "against the base"], ["---"] * 4]
    rows.append(["**base**", "", cell(report.pipelines[BASE].metrics[METRIC]), ""])
    for label, option, value in variants():
        if label not in labels:
            continue
        row = against[label]
        low, high = (100 * bound for bound in row.relative_ci95 or (np.nan, np.nan))
        told = f"{100 * (row.relative or 0):+.1f} % ({low:+.1f} to {high:+.1f})"
        shown = f"`{option}` (base {yaml_text(base.get(option))})"
        rows.append([shown, yaml_text(value), cell(report.pipelines[label].metrics[METRIC]), told])
    return markdown(rows)


def yaml_text(value: Any) -> str:
    """Return the value as it is written in a config."""
    return "null" if value is None else str(value).lower()


def draw(finished: Run, store: Store) -> None:
    """Draw the loss per token of every epoch for some variants, each curve relative to its first value."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "hybridrec"
    figure, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
    keys = {fit.label: fit.key for fit in finished.report.fits}
    for label in (BASE, "ns_exponent--0.5", "ns_exponent-1", "algorithm-cbow", "window-10"):
        state = store.get(keys[label])
        assert state is not None, f"the fit of {label} is not in the store"
        axis.plot(np.arange(1, len(state["losses"]) + 1), state["losses"] / state["losses"][0], label=label)
    axis.set(xlabel="epoch", ylabel="loss, over that of the first epoch")
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9)
    figure.savefig(PICTURE, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main_of_rates() if sys.argv[1:] == ["rates"] else main()
