"""Signatures with people's SSH keys, made and checked by OpenSSH: Hatchway holds no secret."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from pathlib import Path

from msgspec import Struct

from hatchway.journal.checkpoint import Checkpoint, CheckpointError

NAMESPACE = "hatchway-checkpoint"
APPROVAL = "hatchway-approval"
TIMEOUT_S = 60.0  # a key may ask for its passphrase or for a touch
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


class SignatureError(Exception):
    """A text is not signed, or cannot be; says why."""


class Signer(Struct, frozen=True):
    """Who signed, as a file of allowed signers names them, and with which key."""

    principal: str
    fingerprint: str


def sign_text(text: bytes, key: Path, namespace: str) -> str:
    """The signature of a text by a private key, or by a public one whose agent runs.

    Raises SignatureError.
    """
    done = _ssh_keygen(["-Y", "sign", "-f", str(key), "-n", namespace], text)
    if done.returncode != 0:
        raise SignatureError(f"The key {key} does not sign: {_said(done)}.")
    return done.stdout.decode("ascii", "replace")


def who_signed(
    text: bytes, armored: str, allowed: Path, namespace: str, at: float | None = None
) -> Signer:
    """Who signed a text, by a file of allowed signers (see ssh-keygen(1)).

    `at`, in seconds since 1970, is when the key had to be valid; None: now. Raises SignatureError
    when nobody in the file did.
    """
    with tempfile.NamedTemporaryFile(suffix=".sig") as file:
        file.write(armored.encode())
        file.flush()
        known = ["-f", str(allowed), "-s", file.name]
        if at is not None:  # without a zone it is the local time
            known += ["-O", time.strftime("verify-time=%Y%m%d%H%M%S", time.localtime(at))]
        done = _ssh_keygen(["-Y", "find-principals", *known], b"")
        names = done.stdout.decode("utf-8", "replace").splitlines()
        if done.returncode == 0 and names:
            who = names[0].split(",")[0]
            done = _ssh_keygen(["-Y", "verify", *known, "-I", who, "-n", namespace], text)
            key = _FINGERPRINT.search(done.stdout.decode("utf-8", "replace"))
            if done.returncode == 0 and key is not None:
                return Signer(who, key[0])
    raise SignatureError(f"it is not one of those allowed in {allowed}: {_said(done)}")


def sign(checkpoint: Checkpoint, key: Path) -> str:
    """The signature of a checkpoint (see `sign_text`). Raises CheckpointError."""
    try:
        return sign_text(checkpoint.signed_text, key, NAMESPACE)
    except SignatureError as error:
        raise CheckpointError(str(error)) from error


def signer(checkpoint: Checkpoint, allowed: Path) -> str:
    """Who signed a checkpoint, as named in a file of allowed signers (see ssh-keygen(1)).

    Raises CheckpointError when nobody in it did.
    """
    if not checkpoint.sshsig:
        raise CheckpointError(f"The checkpoint of record {checkpoint.seq} is not signed.")
    text, armored = checkpoint.signed_text, checkpoint.sshsig
    try:
        return who_signed(text, armored, allowed, NAMESPACE).principal
    except SignatureError as error:
        raise CheckpointError(
            f"The signature of the checkpoint of record {checkpoint.seq}: {error}."
        ) from error


def _ssh_keygen(arguments: list[str], text: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments],
            input=text,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as e:
        raise SignatureError(f"ssh-keygen, which signatures need, does not work: {e}.") from e


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in lines if line.strip()), "ssh-keygen says no")
