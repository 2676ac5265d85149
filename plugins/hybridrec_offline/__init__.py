"""Estimates of the outcome of live experiments from finished runs and logs: interleaving, off-policy evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command

    from hybridrec import Exporter


@hookimpl
def hybridrec_commands() -> list[Command]:
    """`interleave` compares two pipelines; `off-policy` estimates the reward of a policy from the log of another."""
    from hybridrec_offline.interleaving import interleave
    from hybridrec_offline.off_policy import off_policy

    return [interleave, off_policy]


@hookimpl
def hybridrec_exporters() -> list[type[Exporter]]:
    """`off-policy`, an exporter of logs of a run's policies for the command of this name."""
    from hybridrec_offline.policy_logs import OffPolicyExporter

    return [OffPolicyExporter]
