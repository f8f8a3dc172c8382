"""Where answers are paid: Ledgers, registrations, signers, policies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from footnote.addresses import Address
from footnote.ids import canonical_json
from footnote.model import Definition
from rewards.journal.databases import insert_missing, lock, replace_row
from rewards.journal.records import Version
from rewards.journal.store import Store
from rewards.journal.tables import (
    definitions,
    ledgers,
    policies,
    registrations,
    signers,
    versions,
)
from rewards.ledger import Ledger, Registration, SignerTerm
from rewards.policy import Policy, policy_from


class Places(Store):
    def add_ledger(self, ledger: Ledger) -> None:
        with self._writing() as connection:
            row = {"ledger_id": ledger.ledger_id, "body": ledger.as_json()}
            insert_missing(connection, ledgers, row)

    def ledgers(self, *, lost: bool = False) -> list[Ledger]:
        """All Ledgers in the order they were deployed; those that were found to be another one
        only with ``lost``."""
        query = sa.select(ledgers.c.body)
        with self._reading() as connection:
            rows = connection.execute(query if lost else query.where(ledgers.c.lost.is_(None)))
            return sorted(
                (Ledger.from_json(body) for (body,) in rows), key=lambda ledger: ledger.created_at
            )

    def lose_ledger(self, ledger_id: bytes, reason: str | None) -> None:
        """Note that the chain is not a Ledger's: nothing is issued into it until it is again
        (``reason`` None)."""
        with self._writing() as connection:
            connection.execute(
                ledgers.update().where(ledgers.c.ledger_id == ledger_id).values(lost=reason)
            )

    def register(self, registration: Registration) -> None:
        with self._writing() as connection:
            lock(connection, "datanet", registration.datanet)
            known = connection.execute(
                sa.select(sa.func.max(registrations.c.position)).where(
                    registrations.c.datanet == registration.datanet
                )
            ).scalar()
            replace_row(
                connection,
                registrations,
                {"datanet": registration.datanet, "ledger_id": registration.ledger.ledger_id},
                {
                    "datanet_id": registration.datanet_id,
                    "owner": registration.owner,
                    "position": (known or 0) + 1,
                },
            )
            for term in registration.signers:
                replace_row(
                    connection,
                    signers,
                    {
                        "ledger_id": registration.ledger.ledger_id,
                        "datanet_id": registration.datanet_id,
                        "signer": term.signer,
                    },
                    _term_values(term),
                )

    def update_signer(self, registration: Registration, term: SignerTerm) -> None:
        """Note what the registry says of a signer now."""
        with self._writing() as connection:
            connection.execute(
                signers.update()
                .where(
                    signers.c.ledger_id == registration.ledger.ledger_id,
                    signers.c.datanet_id == registration.datanet_id,
                    signers.c.signer == term.signer,
                )
                .values(**_term_values(term))
            )

    def registration(self, datanet: str) -> Registration | None:
        """The newest registration of a Datanet in a Ledger that still is what it was."""
        with self._reading() as connection:
            return newest_registration(connection, datanet)

    def registrations(self, *, lost: bool = False) -> list[Registration]:
        """Every registration; those in a Ledger that was found to be another one only with
        ``lost``."""
        with self._reading() as connection:
            rows = connection.execute(_registrations(lost=lost)).mappings().all()
            return [_registration_of(connection, row) for row in rows]

    def add_version(self, registration: Registration, version: Version) -> None:
        """Note under which version a snapshot's documents are published."""
        key = {
            "ledger_id": registration.ledger.ledger_id,
            "datanet": registration.datanet,
            "snapshot_id": version.snapshot_id,
        }
        values = {
            "version": version.version, "content_root": version.content_root, "uri": version.uri,
        }  # fmt: skip
        with self._writing() as connection:
            replace_row(connection, versions, key, values)

    def version_on_chain(self, registration: Registration, snapshot_id: bytes) -> int | None:
        """Under which version a snapshot's documents are published; None for none."""
        found = sa.select(sa.func.max(versions.c.version)).where(
            versions.c.ledger_id == registration.ledger.ledger_id,
            versions.c.datanet == registration.datanet,
            versions.c.snapshot_id == snapshot_id,
        )
        with self._reading() as connection:
            version = connection.execute(found).scalar()
        return None if version is None else int(version)

    def set_policy(self, datanet: str, policy: Policy) -> int:
        """Make ``policy`` the one for later answers; returns its version."""
        definition = policy.definition
        with self._writing() as connection:
            lock(connection, "datanet", datanet)
            newest = connection.execute(
                sa.select(policies.c.version, policies.c.policy_id)
                .where(policies.c.datanet == datanet)
                .order_by(policies.c.version.desc())
            ).first()
            if newest is not None and newest.policy_id == definition.definition_id:
                return int(newest.version)
            version = (newest.version if newest else 0) + 1
            define(connection, [definition])
            connection.execute(
                policies.insert().values(
                    datanet=datanet, version=version, policy_id=definition.definition_id
                )
            )
            return int(version)

    def policy(self, datanet: str) -> Policy:
        with self._reading() as connection:
            return newest_policy(connection, datanet)

    def definition(self, definition_id: bytes) -> Mapping[str, Any] | None:
        """The canonical JSON behind the id of a model, adapter, verifier or policy."""
        with self._reading() as connection:
            body: Mapping[str, Any] | None = connection.execute(
                sa.select(definitions.c.body).where(definitions.c.definition_id == definition_id)
            ).scalar()
            return body


def define(connection: Connection, defined: Sequence[Definition]) -> None:
    """Keep what is not kept yet: its id says what it is, so it never changes."""
    if not defined:
        return
    wanted = {definition.definition_id: definition for definition in defined}
    query = sa.select(definitions.c.definition_id)
    kept = connection.execute(query.where(definitions.c.definition_id.in_(wanted))).scalars()
    for definition_id in sorted(set(wanted).difference(kept)):
        body = json.loads(canonical_json(wanted[definition_id].body))
        insert_missing(connection, definitions, {"definition_id": definition_id, "body": body})


def _term_values(term: SignerTerm) -> dict[str, Any]:
    return {
        "from_time": term.from_time,
        "until_time": str(term.until_time),
        "compromised": term.compromised,
    }


def _registrations(*, lost: bool = False) -> sa.Select[Any]:
    query = (
        sa.select(registrations, ledgers.c.body)
        .join(ledgers, ledgers.c.ledger_id == registrations.c.ledger_id)
        .order_by(registrations.c.datanet, registrations.c.position.desc())
    )
    return query if lost else query.where(ledgers.c.lost.is_(None))


def newest_registration(connection: Connection, datanet: str) -> Registration | None:
    row = (
        connection.execute(_registrations().where(registrations.c.datanet == datanet))
        .mappings()
        .first()
    )
    return None if row is None else _registration_of(connection, row)


def _registration_of(connection: Connection, row: RowMapping) -> Registration:
    terms = connection.execute(
        sa.select(signers).where(
            signers.c.ledger_id == row["ledger_id"], signers.c.datanet_id == row["datanet_id"]
        )
    )
    return Registration(
        row["datanet"],
        Ledger.from_json(row["body"]),
        row["datanet_id"],
        Address(row["owner"]),
        tuple(
            SignerTerm(Address(term.signer), term.from_time, int(term.until_time), term.compromised)
            for term in terms
        ),
    )


def newest_policy(connection: Connection, datanet: str) -> Policy:
    body = connection.execute(
        sa.select(definitions.c.body)
        .join(policies, policies.c.policy_id == definitions.c.definition_id)
        .where(policies.c.datanet == datanet)
        .order_by(policies.c.version.desc())
    ).scalar()
    return Policy() if body is None else policy_from(body)
