"""Signed notes and checkpoints as C2SP writes them (signed-note, tlog-checkpoint), with Ed25519.

The text of a checkpoint is three lines: whose log, how many records, the Merkle root of them. Any
program that knows the formats can check it, and any witness can sign it too. Keys are OpenSSH's
(ssh-keygen -t ed25519); what others need to check with is one line, the verifier's key.

Signing and checking need the package cryptography (the extra `sign`); reading a note does not.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DASH = "\u2014 "
MAX_SIGNATURES = 100
_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,200}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_NEEDS = (
    "it needs the package cryptography, which is not installed: install hatchway with its extra"
    " `sign`"
)


class NoteError(Exception):
    """A note, a key or a signature that cannot be used. Says why."""


class Signature(Struct, frozen=True):
    """A line below a note's text. `key` is the key's id, four bytes."""

    name: str
    key: bytes
    value: bytes


class Note(Struct, frozen=True):
    """A text that ends with a newline, and who signed it."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        lines = (f"{DASH}{s.name} {b64encode(s.key + s.value).decode()}\n" for s in self.signatures)
        return f"{self.text}\n{''.join(lines)}"


class TreeHead(Struct, frozen=True):
    """What a checkpoint says: the first `size` records of the log `origin` have this root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


class Verifier(Struct, frozen=True):
    """A public key and its name."""

    name: str
    public: bytes

    @property
    def key(self) -> bytes:
        """Its id in signatures."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        coded = b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key.hex()}+{coded}"


class Signer:
    """A private key under a name. Make one with `signer_of`."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.verifier = Verifier(name, private.public_key().public_bytes_raw())

    def sign(self, text: str) -> Note:
        """The text with this key's signature."""
        value = self._private.sign(text.encode())
        return Note(text, (Signature(self.verifier.name, self.verifier.key, value),))


def signer_of(path: Path, name: str) -> Signer:
    """The key in a file of OpenSSH, to sign as `name`. Raises NoteError."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_ssh_private_key,
        )
    except ImportError as e:
        raise NoteError(f"The key {path} cannot sign: {_NEEDS}.") from e
    try:
        key = load_ssh_private_key(path.read_bytes(), None)
    except OSError as e:
        raise NoteError(f"The key {path} cannot be read: {e.strerror}.") from e
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise NoteError(f"The key {path} is no private key without a passphrase: {e}.") from e
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise NoteError(f"The key {path} is not Ed25519. Make one: ssh-keygen -t ed25519.")
    if not _NAME.fullmatch(name):
        raise NoteError(f"{name!a} cannot be the name of a key: no spaces, no +.")
    return Signer(name, key)


def make_key(path: Path) -> None:
    """Make a private key in a new file that only this account can read. Raises NoteError."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            Encoding,
            NoEncryption,
            PrivateFormat,
        )
    except ImportError as e:
        raise NoteError(f"The key {path} cannot be made: {_NEEDS}.") from e
    key = ed25519.Ed25519PrivateKey.generate()
    coded = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    beside = path.with_name(path.name + ".new")
    try:
        beside.unlink(missing_ok=True)
        beside.touch(mode=0o600, exist_ok=False)
        beside.write_bytes(coded)
        beside.replace(path)
    except OSError as e:
        raise NoteError(f"The key {path} cannot be written: {e.strerror}.") from e


def verifier_of(line: str) -> Verifier:
    """The key in a line `name+id+key`. Raises NoteError."""
    name, _, rest = line.strip().partition("+")
    key, _, coded = rest.partition("+")
    try:
        kind_and_public = b64decode(coded, validate=True)
    except (NotBase64, ValueError) as e:
        raise NoteError(f"{line[:200]!a} is no verifier's key: {e}.") from e
    if kind_and_public[:1] != _ED25519 or len(kind_and_public) != 33 or not _NAME.fullmatch(name):
        raise NoteError(f"{line[:200]!a} is no verifier's key for Ed25519.")
    verifier = Verifier(name, kind_and_public[1:])
    if verifier.key.hex() != key:
        raise NoteError(f"{line[:200]!a}: its id does not belong to its key, it was changed.")
    return verifier


def signers(note: Note, known: tuple[Verifier, ...]) -> list[str]:
    """Which of the known keys signed a note. Raises NoteError when none did, or one did wrongly."""
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PublicKey,
        )
    except ImportError as e:
        raise NoteError(f"Its signature cannot be checked: {_NEEDS}.") from e
    by = {(verifier.name, verifier.key): verifier for verifier in known}
    found: list[str] = []
    for signature in note.signatures:
        verifier = by.get((signature.name, signature.key))
        if verifier is None:
            continue
        try:
            public = Ed25519PublicKey.from_public_bytes(verifier.public)
            public.verify(signature.value, note.text.encode())
        except (InvalidSignature, ValueError) as e:
            raise NoteError(f"The signature by {signature.name} is not of this text.") from e
        found.append(signature.name)
    if not found:
        names = ", ".join(s.name for s in note.signatures)
        raise NoteError(f"None of the known keys signed it (signed by: {names}).")
    return found


def parse(text: str) -> Note:
    """A note as it was written. Raises NoteError."""
    if any(ord(c) < 0x20 and c != "\n" for c in text):
        raise NoteError("it holds control characters")
    body, blank, below = text.rpartition("\n\n")
    if not blank or not below.endswith("\n"):
        raise NoteError("it is no signed note: there is no blank line and signatures below it")
    lines = below[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteError(f"it has more than {MAX_SIGNATURES} signatures")
    return Note(body + "\n", tuple(map(_signature, lines)))


def _signature(line: str) -> Signature:
    name, _, coded = line.removeprefix(DASH).partition(" ")
    try:
        value = b64decode(coded, validate=True)
    except (NotBase64, ValueError) as e:
        raise NoteError(f"{line[:80]!a} is no signature: {e}") from e
    if not line.startswith(DASH) or not _NAME.fullmatch(name) or len(value) < 5:
        raise NoteError(f"{line[:80]!a} is no signature")
    return Signature(name, value[:4], value[4:])


def tree_head(note: Note) -> TreeHead:
    """What a note says as a checkpoint. Lines after the third are let be. Raises NoteError."""
    lines = note.text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise NoteError("it is no checkpoint: that has three lines, of which none is empty")
    origin, size, coded = lines[:3]
    try:
        root = b64decode(coded, validate=True)
    except (NotBase64, ValueError) as e:
        raise NoteError(f"its root is not base64: {e}") from e
    if not _SIZE.fullmatch(size) or len(root) != 32:
        raise NoteError("its second line is no size, or its third no root")
    return TreeHead(origin, int(size), root)
