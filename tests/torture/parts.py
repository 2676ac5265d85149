"""The parts of the harness: what each promises, and how much of it the short and the long form try."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests.torture.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the harness.

    module: the module of this package whose function `torture(tries, seed, folder)` carries it out
    promise: what a user may rely on, in a sentence
    short, long: the number of attempts of each form
    """

    module: str
    promise: str
    short: int
    long: int

    def torture(self, tries: int, seed: int, folder: Path) -> Outcome:
        """Carry out the part with so many attempts, in a folder that is empty."""
        module = importlib.import_module(f"tests.torture.{self.module}")
        return cast(Outcome, module.torture(tries, seed, folder))


PARTS: dict[str, Part] = {
    "configs": Part(
        "config_fuzz",
        "A config is accepted, or refused with a message, whatever it holds.",
        600,
        50_000,
    ),
    "config-sizes": Part("config_growth", "The work of checking a config is in proportion to its size.", 10, 10),
    "data": Part(
        "data_fuzz",
        "A file of data is read, or refused with a message; a row that is not read is counted as malformed.",
        1_000,
        25_000,
    ),
    "damage": Part(
        "damage",
        "Damage by chance to any file of a run, bundle or store is found and named, and nothing wrong is answered.",
        1_000,
        10_000,
    ),
    "crafted": Part(
        "crafted",
        "A run or bundle made by hand, with sound checksums, is read or refused, and writes nothing elsewhere.",
        100,
        2_000,
    ),
}
