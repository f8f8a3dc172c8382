"""The commands that set payment up: key, deploy, register, fund, policy."""

from __future__ import annotations

import json
import secrets
import tomllib
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from footnote.addresses import ZERO_ADDRESS, Address, format_address, parse_address
from footnote.errors import Broken, Invalid, Misconfigured, NotFound
from footnote.ids import datanet_id
from footnote.settings import read_settings
from rewards.chain import EvmChain
from rewards.commands.common import address_in, chain_of, owner_key, say
from rewards.journal.journal import Journal
from rewards.keys import create_key
from rewards.ledger import Ledger, Registration, SignerTerm
from rewards.policy import policy_from


@click.group()
def key() -> None:
    """Make encrypted keystore files."""


@key.command("new")
@click.argument("keystore", type=click.Path(path_type=Path))
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path),
    required=True,
    help="File with the passphrase; made with a random one if it is not there.",
)
def key_new(keystore: Path, passphrase_file: Path) -> None:
    """Write a new random key to KEYSTORE and print its address."""
    click.echo(format_address(create_key(keystore, passphrase_file)))


@click.command()
@click.option("--token", help="Address of the ERC-20 that pays; native coin without it.")
@click.option(
    "--admin-delay-days",
    type=click.IntRange(0, 30),
    default=2,
    show_default=True,
    help="Delay of a change of the pool's admin.",
)
def deploy(token: str | None, admin_delay_days: int) -> None:
    """Deploy registry and reward pool, wait until that is final, and note the Ledger.

    Uses FOOTNOTE_RPC_URL and FOOTNOTE_OWNER_KEYSTORE. The owner becomes the pool's admin, who can
    pause and cap, and can neither settle nor move money.
    """
    settings = read_settings()
    address = parse_address(token) if token else ZERO_ADDRESS
    ledger = chain_of(settings).deploy(owner_key(settings), address, admin_delay_days * 86_400, say)
    Journal(settings.journal).add_ledger(ledger)
    click.echo(json.dumps({"ledger_id": "0x" + ledger.ledger_id.hex(), **ledger.as_json()}))


def _newest_ledger(journal: Journal, chain: EvmChain) -> Ledger:
    """The newest Ledger that this chain holds."""
    held = [ledger for ledger in journal.ledgers() if chain.is_ledger(ledger)]
    if not held:
        raise NotFound("no pool is deployed on this chain", "run footnote deploy")
    return held[-1]


@click.command()
@click.argument("datanet")
@click.option(
    "--signer", "signer_text", help="Address of the receipt signer; FOOTNOTE_SIGNER_KEYSTORE's."
)
@click.option(
    "--distributor",
    "distributor_text",
    help="Address that may settle; FOOTNOTE_DISTRIBUTOR_KEYSTORE's.",
)
@click.option("--uri", default="", help="Where people find the Datanet.")
def register(datanet: str, signer_text: str | None, distributor_text: str | None, uri: str) -> None:
    """Register DATANET on chain with its receipt signer and its distributor.

    From then on its answers are paid. Run it again with another --signer to add that one.
    """
    settings = read_settings()
    signer = _address_of(
        signer_text, settings.signer_keystore, "--signer or FOOTNOTE_SIGNER_KEYSTORE"
    )
    distributor = _address_of(
        distributor_text,
        settings.distributor_keystore,
        "--distributor or FOOTNOTE_DISTRIBUTOR_KEYSTORE",
    )
    if signer == distributor:
        raise Invalid("signer and distributor are one account", "use two keys")
    journal, chain, owner = Journal(settings.journal), chain_of(settings), owner_key(settings)
    ledger = _newest_ledger(journal, chain)
    registration = journal.registration(datanet)
    if registration is None or registration.ledger.ledger_id != ledger.ledger_id:
        salt = secrets.token_bytes(32)
        identity = datanet_id(ledger.chain_id, ledger.registry, owner.address, salt)
        say("creating the Datanet")
        waiting = [chain.create_datanet(owner, ledger, salt, uri)]
        terms: tuple[SignerTerm, ...] = ()
        chain.wait_mined(waiting[0])
    else:
        identity, terms, waiting = registration.datanet_id, registration.signers, []
    if not chain.is_distributor(ledger, identity, distributor):
        say("naming the distributor")
        waiting.append(chain.set_distributor(owner, ledger, identity, distributor))
    if chain.signer_term(ledger, identity, signer) is None:
        say("adding the receipt signer")
        waiting.append(chain.add_signer(owner, ledger, identity, signer))
    say("waiting until that is final")
    for transaction in waiting:
        chain.wait_final(transaction)
    term = chain.signer_term(ledger, identity, signer)
    if term is None:
        raise Broken("the registry does not know the signer", "look at the chain")
    if term.compromised:
        raise Invalid("that signer was revoked", "register another one with --signer")
    terms = (*(other for other in terms if other.signer != signer), term)
    journal.register(Registration(datanet, ledger, identity, owner.address, terms))
    click.echo(
        json.dumps(
            {
                "datanet": datanet,
                "datanet_id": "0x" + identity.hex(),
                "ledger_id": "0x" + ledger.ledger_id.hex(),
                "signer": format_address(signer),
                "distributor": format_address(distributor),
            }
        )
    )


def _address_of(text: str | None, keystore: Path | None, named: str) -> Address:
    """The address given, else the one that stands in clear in a keystore file."""
    if text is not None:
        return parse_address(text)
    if keystore is None:
        raise Misconfigured("an address is missing", f"give {named}")
    return address_in(keystore)


@click.command()
@click.argument("datanet")
@click.argument("amount")
@click.option("--base-units", is_flag=True, help="AMOUNT counts base units, not whole tokens.")
def fund(datanet: str, amount: str, base_units: bool) -> None:
    """Put AMOUNT tokens from the owner's account into DATANET's pool."""
    settings = read_settings()
    journal, chain = Journal(settings.journal), chain_of(settings)
    registration = journal.registration(datanet)
    if registration is None:
        raise NotFound(f"{datanet} is not registered", "run footnote register")
    units = _units(amount, 0 if base_units else chain.decimals(registration.ledger))
    tx_hash = chain.fund(owner_key(settings), registration.ledger, registration.datanet_id, units)
    chain.wait_final(tx_hash)
    funds = chain.funds(registration.ledger, registration.datanet_id)
    click.echo(
        json.dumps({"datanet": datanet, "funds": str(funds), "tx_hash": "0x" + tx_hash.hex()})
    )


def _units(amount: str, decimals: int) -> int:
    """Base units, exactly: a Decimal product would be rounded to 28 digits."""
    try:
        units = Fraction(Decimal(amount)) * 10**decimals
    except (InvalidOperation, ValueError, OverflowError):  # no number, NaN, Infinity
        raise Invalid("that is no amount", "give a number, such as 2.5") from None
    if units.denominator != 1 or not 0 < units < 2**256:
        raise Invalid("that is no amount", f"give a positive number of at most {decimals} decimals")
    return int(units)


@click.command()
@click.argument("datanet")
@click.option(
    "--set",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="TOML file with the new policy; what it leaves out has its default.",
)
def policy(datanet: str, file: Path | None) -> None:
    """Show DATANET's reward policy, or set it for later answers."""
    journal = Journal(read_settings().journal)
    if file is not None:
        try:
            table: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Invalid(f"{file} is not valid TOML", f"mend it: {error}") from error
        journal.set_policy(datanet, policy_from(table))
    definition = journal.policy(datanet).definition
    click.echo(json.dumps({"policy_id": "0x" + definition.definition_id.hex(), **definition.body}))
