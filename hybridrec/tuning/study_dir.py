"""The folder of a search, with its config, its trials and its result."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from hybridrec.config.experiment import UNDECIDING, CheckedExperiment
from hybridrec.data.fingerprint import json_digest
from hybridrec.errors import ConfigError, StoreError
from hybridrec.evaluation.report import TuningReport
from hybridrec.paths import write_whole, writing
from hybridrec.runs.run import CONFIG
from hybridrec.runs.writer import free, writable
from hybridrec.tuning.trials import Trial

BEST, TRIALS, IMPORTANCE, TUNING = "best.yaml", "trials.csv", "importance.json", "tuning.json"
_BUDGETS = ("trials", "seconds")


@dataclass(frozen=True, slots=True)
class Tuned:
    """The result of a finished search.

    folder: holds trials.csv, importance.json, config.yaml (the original config) and best.yaml (the tuned one)
    trials: all trials in order; the first one is the config as it was written
    best: the trials that satisfy all bounds, best first
    importance: key path of an option -> its importance from 0 to 1 (`Sampler.importance`)
    """

    folder: Path
    trials: list[Trial]
    best: list[Trial]
    importance: dict[str, float]

    @property
    def config(self) -> Path:
        """Path of the config with the chosen values, for `run`."""
        return self.folder / BEST


def begin(runs: Path, experiment: CheckedExperiment) -> Path:
    """Create a new folder for a search below `runs`, write its config there, and return the folder."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    writable(runs)
    folder = free(runs, f"{experiment.config.name}-tune-{stamp}-{experiment.hash[:6]}")
    with writing(folder):
        folder.mkdir()
    text = yaml.safe_dump(experiment.resolved, sort_keys=False, allow_unicode=True)
    write_whole(folder / CONFIG, text)
    return folder


def resume(folder: Path, experiment: CheckedExperiment) -> Path:
    """Check that `folder` holds an earlier search of the same experiment, and return it.

    Only the budgets `trials` and `seconds` of the two experiments may differ. Raises ConfigError if anything else
    differs, and StoreError if the config in the folder cannot be read.
    """
    try:
        began = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        lasting = _lasting(began)
    except OSError:
        raise ConfigError(f"{folder} is not a folder of a search: it has no {CONFIG}") from None
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"{folder / CONFIG} cannot be read: {type(error).__name__}: {error}") from None
    if lasting != _lasting(experiment.resolved):
        raise ConfigError(f"{folder} was begun with another config (see its {CONFIG}): only `trials` and `seconds` may "
                          "differ; leave out --resume to start a new search")  # fmt: skip
    writable(folder)
    return folder


def finish(folder: Path, report: TuningReport, config_hash: str) -> None:
    """Write the summary of a search, which `run` copies into the report of the tuned experiment."""
    content = {"config_hash": config_hash, "tuning": report.model_dump(mode="json")}
    content |= {"checksum": json_digest(content)}
    write_whole(folder / TUNING, json.dumps(content, indent=1, ensure_ascii=False))


def tuned_report(config: Path, config_hash: str) -> TuningReport | None:
    """Return the summary of the search that wrote the file `config`; None if no search did, or if it was edited since.

    `config_hash` is the hash of the experiment in the file. Raises StoreError if the summary cannot be read.
    """
    path = config.with_name(TUNING)
    if config.name != BEST or not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("checksum") != json_digest(content):
            raise ValueError("it is damaged (its checksum differs)")
        same = content["config_hash"] == config_hash
        return TuningReport.model_validate(content["tuning"]) if same else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from None


def _lasting(resolved: Any) -> Any:
    """Return a resolved config without the sections that change no result and without the budgets of its search."""
    tune = {key: value for key, value in resolved["tune"].items() if key not in _BUDGETS}
    return {key: value for key, value in resolved.items() if key not in UNDECIDING} | {"tune": tune}
