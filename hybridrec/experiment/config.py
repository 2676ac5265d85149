"""A checked experiment: everything the config names, found and validated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from hybridrec.arrays import Target
from hybridrec.data.folds import Splitter
from hybridrec.data.readers import Reader
from hybridrec.evaluation.metrics import Measure
from hybridrec.experiment.schema import ExperimentConfig, PipelineUse
from hybridrec.plugin import Options
from hybridrec.stages.component import Component

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Spec:
    """A component as the config wants it: its label, its class and its validated options."""

    label: str
    cls: type[Component]
    options: Options

    def create(self) -> Component:
        """A new, unfitted instance."""
        return self.cls(self.options)


@dataclass(frozen=True, slots=True)
class PipelinePlan:
    """A pipeline with its re-rankers resolved, one chain per target; `single` marks a reference arm."""

    name: str
    use: PipelineUse
    rerankers: dict[Target, tuple[Spec, ...]]
    single: bool = False

    @property
    def labels(self) -> list[str]:
        """Labels of the components it needs, in order of first mention."""
        mentioned = [g.source for g in self.use.generators] + self.use.scorers + self.use.fallback
        return list(dict.fromkeys(mentioned))

    @property
    def learns(self) -> bool:
        """Whether one of its re-rankers has to be learned on out-of-sample scores."""
        return any(spec.create().learns for spec in self.reranker_specs())  # type: ignore[attr-defined]

    def reranker_specs(self) -> Iterator[Spec]:
        """All re-rankers of all targets."""
        for chain in self.rerankers.values():
            yield from chain


@dataclass(frozen=True, slots=True)
class Aim:
    """What is measured: a measure on a target."""

    target: Target
    measure: Measure

    @property
    def key(self) -> str:
        """The name in reports, as the config writes it."""
        return self.measure.key(self.target)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A checked config with everything it names found and its options validated."""

    config: ExperimentConfig
    reader: Reader
    splitter: Splitter
    components: dict[str, Spec]
    pipelines: dict[str, PipelinePlan]
    aims: tuple[Aim, ...]
    notes: tuple[str, ...] = ()
    validation: bool = False
    """Measure on validation queries from inside the training parts; no test query is touched."""

    @property
    def metrics(self) -> list[str]:
        """All that is measured, by the names in reports: what the config lists, in its order, then the parts of
        combined metrics."""
        listed = (name.strip() for name in self.config.compare.metrics)
        return list(dict.fromkeys([*listed, *(aim.key for aim in self.aims)]))

    @property
    def lower_is_better(self) -> list[str]:
        """The measured metrics, by their names in reports, of which less is better."""
        return [aim.key for aim in self.aims if not aim.measure.metric.higher_is_better]

    @property
    def resolved(self) -> dict[str, Any]:
        """The config with all defaults filled in, as plain values (what `config.yaml` of a run holds)."""
        content = self.config.model_dump(mode="json", by_alias=True, exclude_none=True)
        content["data"] = {"reader": self.reader.name, **_plain(self.reader.config)}
        content["split"] = {"use": self.splitter.name, **_plain(self.splitter.config)}
        content["components"] = {
            label: {"use": spec.cls.name, **_plain(spec.options)} for label, spec in self.components.items()
        }
        return content

    @property
    def hash(self) -> str:
        """Hex digest of the resolved config."""
        text = json.dumps(self.resolved, sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _plain(options: Options) -> dict[str, Any]:
    return options.model_dump(mode="json", by_alias=True, exclude_none=True)
