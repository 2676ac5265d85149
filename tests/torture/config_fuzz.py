"""Fuzzing of configs: mutated documents are accepted, or refused with a message, quickly and whatever they hold."""

from __future__ import annotations

import copy
import random
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from hybridrec.config import yaml_document
from hybridrec.config.experiment import CheckedExperiment
from hybridrec.config.load import check
from hybridrec.config.yaml_document import parse
from hybridrec.data.fingerprint import json_digest
from hybridrec.errors import ConfigError
from hybridrec.registry.discovery import Registry
from tests.torture.mutate import INTERESTING, mutate_tree, mutated_bytes, places
from tests.torture.outcome import Loss, Outcome

CONFIGS = Path(__file__).parents[2] / "configs"
CORPUS = Path(__file__).parent / "corpus" / "configs"
LARGEST = 2500
"""The most bytes of a config that is mutated: larger ones take long and hold nothing else."""


def torture(tries: int, seed: int, folder: Path) -> Outcome:
    """Check the whole corpus, and so many mutants; a tenth of the mutants has to be accepted."""
    registry, outcome = Registry(), Outcome()
    for file in sorted(CORPUS.glob("*")):
        name = f"corpus/configs/{file.name}"
        if outcome.attempt(name, partial(checked, file.read_bytes(), registry, folder)) is not None:
            outcome.lose(name, "it is accepted")  # each of them could only fail later
    texts = [file.read_text(encoding="utf-8") for file in sorted(CONFIGS.rglob("*.yaml"))]
    texts = [text for text in texts if len(text) < LARGEST]
    trees = [yaml.safe_load(text) for text in texts]
    mutants = Outcome()
    for number in range(tries):
        text, assignment = mutant(texts, trees, random.Random(f"config {seed} {number}"))
        mutants.attempt(f"config {seed} {number}", partial(checked, text, registry, folder, assignment))
    if mutants.counts["accepted"] * 10 < tries:
        outcome.lose("mutants", f"{mutants.counts['accepted']} of {tries} were accepted, too few to test what follows")
    outcome.add(mutants)
    return outcome


def checked(text: bytes, registry: Registry, folder: Path, assignment: str = "") -> CheckedExperiment:
    """Check a document as `hybridrec check` does, and make what a run writes of the config."""
    try:
        document = parse(text.decode(), "fuzz.yaml")
    except UnicodeDecodeError:
        raise ConfigError("not valid UTF-8") from None  # `load` says so before anything is parsed
    if assignment:
        document.set(assignment)
    with redirect_stderr(StringIO()):
        experiment = check(document, registry, folder)
    resolved = experiment.resolved
    json_digest(resolved)
    if not yaml.safe_dump(dict(resolved), sort_keys=False, allow_unicode=True):
        raise Loss("an empty config")
    return experiment


def mutant(texts: list[str], trees: list[Any], rng: random.Random) -> tuple[bytes, str]:
    """Return a mutated document, and an assignment for a quarter of them: a third is changed as text."""
    place = rng.randrange(len(texts))
    if rng.random() < 0.35:
        return mutated_bytes(texts[place].encode(), rng), ""
    tree = copy.deepcopy(trees[place])
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        mutate_tree(tree, trees, rng)
    text = yaml.safe_dump(copy.deepcopy(tree), sort_keys=False, allow_unicode=rng.random() < 0.5)
    if rng.random() < 0.75:
        return text.encode(), ""
    paths = [path for path, *_ in places(tree)]
    path = ".".join(map(str, rng.choice(paths) if paths else ("seed",)))
    return text.encode("utf-8", "surrogatepass"), f"{path}={rng.choice(('1', '0.5', 'x', '[]', '{}', *INTERESTING))}"


def _let_scalars_through(patch: pytest.MonkeyPatch) -> int:
    patch.setattr(yaml_document._Builder, "_scalar", lambda builder, node: builder.loader.construct_object(node))
    return 1


BREAKS = {
    "values that YAML lets through are caught": _let_scalars_through,
}
"""Promises, and what breaks them for a test of this part: it returns the number of attempts that have to notice."""
