"""A log of a policy's actions with their probabilities and rewards."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from hybridrec.data.io.bad_lines import BadLines
from hybridrec.data.io.columns import ColumnTable
from hybridrec.data.io.files import FileSource
from hybridrec.errors import DataError
from hybridrec.evaluation.statistics import Totals, membership, standard_errors
from hybridrec.types import Bools, Doubles, Ints

_SURE = 4.0
"""Number of standard errors by which the mean weight may differ from 1 by chance."""


@dataclass(frozen=True, slots=True)
class BanditLog:
    """N actions drawn by a logging policy that recorded their probabilities, and the rewards that followed.

    An action is whatever the policy draws at once: a slate, the item at one place, or the arm of a bandit.

    units: int32 [N], the user who saw the action; actions of one unit are not treated as independent
    reward: float64 [N]
    propensity: float64 [N], the probability with which the logging policy chose the action
    target: float64 [N], the probability with which the target policy would have chosen it
    predicted: float64 [N], the reward that a model predicts for the action
    expected: float64 [N], the mean reward that the model predicts for the actions that the target policy would draw
        in the same situation

    The last two columns are given together or left out together; the model must not have been fitted on this log.
    Raises DataError if the columns differ in length, if the log is deterministic, or if the target policy chooses
    actions that the logging policy never chooses, since the log says nothing about the rewards of such actions.
    """

    units: Ints
    reward: Doubles
    propensity: Doubles
    target: Doubles
    predicted: Doubles | None = None
    expected: Doubles | None = None

    def __post_init__(self) -> None:
        """Raise DataError for a log from which nothing can be estimated: see the class."""
        given = {
            field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name) is not None
        }
        lengths = {name: len(column) for name, column in given.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"every column needs one value per action, but they have {lengths}")
        if not len(self.units):
            raise DataError("the log is empty; it needs one row for each action that was shown")
        if (self.predicted is None) != (self.expected is None):
            raise DataError("the doubly robust estimate needs both `predicted` and `expected`; give both or neither")
        for name, column in given.items():
            _check(name, column, np.isfinite(column), "a number")
        _check("propensity", self.propensity, (self.propensity > 0) & (self.propensity <= 1), "above 0 and at most 1")
        _check("target propensity", self.target, (self.target >= 0) & (self.target <= 1), "from 0 to 1")
        self._check_support()

    def _check_support(self) -> None:
        """Raise DataError unless the logging policy may choose every action that the target policy chooses.

        Then the importance weights average 1, so a mean that differs from 1 by more than chance allows is an error. A
        log in which all propensities are 1, or all target propensities are 0, is an error, too.
        """
        if (self.propensity == 1).all():
            raise DataError(
                "the log is deterministic: all propensities are 1, so nothing is known of any action but the one "
                "the logging policy always took; let it draw at random, and log the probability of what it drew"
            )
        beyond = (self.propensity == 1) & (self.target < 1)
        if beyond.any():
            raise DataError(
                f"the target policy leaves the support of the log: row {np.argmax(beyond) + 1} (and {beyond.sum() - 1} "
                "more) was logged with propensity 1, where no other action was ever shown, but the target policy "
                "shows others; leave such contexts out, or let the logging policy explore there"
            )
        if not self.target.any():
            raise DataError(
                "the target policy never chooses what was logged: all target propensities are 0; they must be the "
                "probabilities with which it would have chosen the actions of the log"
            )
        totals = Totals.of(membership(self.units, np.ones(len(self.units))), self.weights[:, None])
        mean, error = float(totals.means[0]), float(standard_errors(totals)[0])
        if abs(mean - 1) > _SURE * error + 1e-9:
            reason = (
                f"{1 - mean:.0%} of what the target policy shows is never shown by the logging policy"
                if mean < 1
                else "the log holds actions more often than their propensities imply"
            )
            raise DataError(
                f"the importance weights average {mean:.3f} ± {error:.3f} where 1 is due: {reason}, or one of the "
                "propensities is not the probability of the logged action"
            )

    @classmethod
    def read(cls, path: Path) -> BanditLog:
        """Read a log from a table (Parquet, CSV, TSV, JSON Lines) with one row per action.

        The columns are `unit`, `reward`, `propensity`, `target_propensity` and optionally `predicted` and
        `expected`; other columns are ignored. Raises DataError for a missing column, for a value that is not a number
        (the message names its row), and for a log from which nothing can be estimated (see the class).
        """
        table = ColumnTable.of(FileSource(path=path), BadLines(strict=True, option=False))
        names = {"reward": "reward", "propensity": "propensity", "target": "target_propensity"}
        names |= {name: name for name in ("predicted", "expected") if name in table.frame.collect_schema().names()}
        units = table.ids("unit").to_physical().to_numpy().astype(np.int32)
        return cls(units, **{name: table.numbers(column).to_numpy() for name, column in names.items()})

    @property
    def weights(self) -> Doubles:
        """float64 [N]: the importance weight of each action, its target propensity divided by its logged propensity."""
        return self.target / self.propensity


def _check(name: str, column: Doubles, right: Bools, expected: str) -> None:
    """Raise DataError if a value of a column is not valid; the message names the first such value and its row.

    `right`, bool [N], is True for valid values; `expected` says in words which values are valid.
    """
    if not right.all():
        row = int(np.argmin(right))
        raise DataError(f"row {row + 1}: the {name} is {column[row]}; right is {expected}")
