"""The commands of ``pilegate``, one file per group.

A new group is a file here and a line in ``COMMANDS``; its commands take the database by ``common.db_option``.
"""

from __future__ import annotations

import click

from gateway.commands import (
    accounts,
    backups,
    bills,
    cases,
    daemon,
    decide,
    evidence,
    frames,
    outbox,
    piles,
    reports,
    tokens,
    trials,
)

COMMANDS: tuple[click.Command, ...] = (
    daemon.run,
    daemon.check,
    daemon.systemd,
    frames.replay,
    frames.decode,
    frames.dissector,
    frames.states,
    trials.demo,
    trials.simulate,
    trials.listen,
    bills.bills,
    bills.bill,
    cases.case,
    decide.decide,
    evidence.evidence,
    evidence.verify,
    reports.report,
    reports.reconcile_command,
    piles.pile,
    accounts.account,
    tokens.token,
    outbox.outbox,
    backups.backup,
    backups.restore,
)
