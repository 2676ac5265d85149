"""Questions of live experiments, answered from finished runs and logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from click import Command

    from hybridrec import Exporter


@hookimpl
def hybridrec_commands() -> list[Command]:
    """`interleave`: the preference between two pipelines; `off-policy`: the reward of a policy from another's log."""
    from hybridrec_offline.interleaving import interleave
    from hybridrec_offline.off_policy import off_policy

    return [interleave, off_policy]


@hookimpl
def hybridrec_exporters() -> list[type[Exporter]]:
    """Logs of a run's policies, as `off-policy` reads them."""
    from hybridrec_offline.policy_logs import OffPolicyExporter

    return [OffPolicyExporter]
