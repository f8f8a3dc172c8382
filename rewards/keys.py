"""Keys in encrypted keystore files. The door of eth-account.

A key is read from a file (Web3 Secret Storage, version 3) and a passphrase file, never from argv or
the environment. The object that holds one shows only its address.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_typing import Hash32
from eth_utils.exceptions import ValidationError

from footnote.addresses import Address
from footnote.errors import Conflict, Misconfigured

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

_SECP256K1_HALF = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class Key:
    """Signs; never tells what with."""

    __slots__ = ("_account", "address")

    def __init__(self, account: LocalAccount) -> None:
        self._account = account
        self.address = Address(bytes.fromhex(account.address[2:]))

    def __repr__(self) -> str:
        return f"Key({self._account.address})"

    def __reduce__(self) -> Any:
        raise TypeError("a key is not to be copied")

    def sign_digest(self, digest: bytes) -> bytes:
        """65 bytes ``r ‖ s ‖ v`` with a low s and v of 27 or 28."""
        return bytes(self._account.unsafe_sign_hash(Hash32(digest)).signature)

    def sign_transaction(self, transaction: dict[str, Any]) -> tuple[bytes, bytes]:
        """The raw bytes and the hash of a signed transaction."""
        signed = self._account.sign_transaction(transaction)
        return bytes(signed.raw_transaction), bytes(signed.hash)


def read_key(keystore: Path, passphrase_file: Path | None, setting: str) -> Key:
    """The key in ``keystore``.

    Args:
        setting: the variable that named it, for errors.

    Raises:
        Misconfigured: when file or passphrase is missing or wrong.
    """
    if passphrase_file is None:
        raise Misconfigured(
            "a keystore without a passphrase file",
            f"set {setting.replace('KEYSTORE', 'PASSPHRASE_FILE')}",
        )
    from eth_account import Account

    try:
        passphrase = passphrase_file.read_text().rstrip("\r\n")
        private = Account.decrypt(json.loads(keystore.read_text()), passphrase)
    except OSError as error:
        raise Misconfigured(
            f"{error.filename} cannot be read", f"see {setting} and its passphrase file"
        ) from error
    except (ValueError, KeyError, TypeError, NotImplementedError):
        raise Misconfigured(
            f"the keystore of {setting} cannot be opened", "check file and passphrase"
        ) from None
    return Key(Account.from_key(private))


def create_key(keystore: Path, passphrase_file: Path, *, iterations: int | None = None) -> Address:
    """Write a new random key; the passphrase file is made too if it is not there.

    ``iterations`` is scrypt's cost, 262,144 by default; only throw-away keys want less.

    Raises:
        Conflict: when the keystore exists.
    """
    from eth_account import Account

    if keystore.exists():
        raise Conflict(f"{keystore} exists", "name another file; keys are never overwritten")
    keystore.parent.mkdir(parents=True, exist_ok=True)
    if not passphrase_file.exists():
        _write_private(passphrase_file, secrets.token_urlsafe(32) + "\n")
    passphrase = passphrase_file.read_text().rstrip("\r\n")
    account = Account.create()
    encrypted = Account.encrypt(account.key, passphrase, kdf="scrypt", iterations=iterations)
    _write_private(keystore, json.dumps(encrypted) + "\n")
    return Address(bytes.fromhex(account.address[2:]))


def recover(digest: bytes, signature: bytes) -> Address | None:
    """The address that signed ``digest``; None for anything but 65 canonical bytes: the twin with
    a high s and other values of v recover the same signer, and are refused."""
    if len(signature) != 65 or signature[64] not in (27, 28):
        return None
    if int.from_bytes(signature[32:64], "big") > _SECP256K1_HALF:
        return None
    try:
        parsed = Signature(signature[:64] + bytes([signature[64] - 27]))
        return Address(parsed.recover_public_key_from_msg_hash(digest).to_canonical_address())
    except (BadSignature, ValidationError):
        return None


def _write_private(path: Path, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(content)
