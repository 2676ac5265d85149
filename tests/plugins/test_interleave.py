"""The command `interleave`: a table by segment, and a sentence."""

from __future__ import annotations

from click.testing import CliRunner

import hybridrec
from hybridrec.cli import hybridrec as group
from hybridrec.testing import CommandContract
from hybridrec_offline.interleaving import interleave


class TestInterleave(CommandContract):
    command = interleave


def call(*arguments):
    done = CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_interleave_prints_segments_and_a_sentence(experiment):
    folder = hybridrec.run(experiment()).folder
    printed = call("interleave", folder, "control", "hybrid", "-n", 5, "--rounds", 3)
    assert "hybrid against control, 3 interleavings of each query" in printed
    assert "team-draft@5" in printed.splitlines()[-1]
    assert "wins" in printed.splitlines()[-1]
    assert printed == call("interleave", folder, "control", "hybrid", "-n", 5, "--rounds", 3)
    assert "balanced@20" in call("interleave", folder, "control", "hybrid", "--method", "balanced", "--target", "tags")
