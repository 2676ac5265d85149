"""The tolerance of a server: a component that fails costs its opinion, not the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from hybridrec.stages.component import Component
from hybridrec.tracing import calling, plugin_frames

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure of a component that cost only its opinion.

    component: its label in the pipeline; for a re-ranker "re-ranker NAME"
    message: the error in one line
    origin: its class and the line of the plugin that raised it, without its text: "KeyError in moody.py:12"
    """

    component: str
    message: str
    origin: str = field(default="", compare=False)


@dataclass(slots=True)
class Tolerance:
    """The components that a pipeline does without, those that failed so far, and who is told which one is at work.

    left_out: labels of components that are not asked; a re-ranker is named "re-ranker NAME". A generator that is left
        out has no candidates, a scorer has no opinion, and a re-ranker changes nothing
    at_work: called with the label of each component before it is asked; somebody else can then tell which component
        does not come back
    faults: the components that raised an error or broke their contract, in the order of the failures; they were treated
        as if they were left out
    """

    left_out: frozenset[str] = frozenset()
    at_work: Callable[[str], None] | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def silent(self) -> bool:
        """True if any component was left out, or has failed."""
        return bool(self.left_out or self.faults)


def reranker_label(name: str) -> str:
    """Return the label of a re-ranker in a `Tolerance`."""
    return f"re-ranker {name}"


def ask(
    tolerance: Tolerance | None,
    label: str,
    component: Component,
    action: str,
    work: Callable[[], T],
    silence: Callable[[], T],
) -> T:
    """Return the result of `work`, a call into a component, or of `silence` if the component has no opinion.

    Without a tolerance, the errors of the component are raised, with a note that it failed while doing `action`.
    """
    if tolerance is None:
        with calling(component, action):
            return work()
    if label in tolerance.left_out:
        return silence()
    if tolerance.at_work is not None:
        tolerance.at_work(label)
    try:
        with calling(component, action):
            return work()
    except Exception as error:
        told, name = str(error).strip().partition("\n")[0], type(error).__name__
        frames = plugin_frames(error, type(component).__module__.partition(".")[0])
        place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        tolerance.faults.append(Fault(label, f"{name}: {told}" if told else name, name + place))
        return silence()
