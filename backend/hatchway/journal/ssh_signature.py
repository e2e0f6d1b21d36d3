"""Signatures with people's SSH keys, made and checked by OpenSSH: Hatchway holds no secret."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from hatchway.journal.checkpoint import Checkpoint, CheckpointError

NAMESPACE = "hatchway-checkpoint"
TIMEOUT_S = 60.0  # a key may ask for its passphrase or for a touch


def sign(checkpoint: Checkpoint, key: Path) -> str:
    """The signature of a checkpoint by a private key, or by a public one whose agent runs.

    Raises CheckpointError.
    """
    done = _ssh_keygen(["-Y", "sign", "-f", str(key), "-n", NAMESPACE], checkpoint.signed_text)
    if done.returncode != 0:
        raise CheckpointError(f"The key {key} does not sign: {_said(done)}.")
    return done.stdout.decode("ascii", "replace")


def signer(checkpoint: Checkpoint, allowed: Path) -> str:
    """Who signed a checkpoint, as named in a file of allowed signers (see ssh-keygen(1)).

    Raises CheckpointError when nobody in it did.
    """
    if not checkpoint.sshsig:
        raise CheckpointError(f"The checkpoint of record {checkpoint.seq} is not signed.")
    with tempfile.NamedTemporaryFile(suffix=".sig") as file:
        file.write(checkpoint.sshsig.encode())
        file.flush()
        known = ["-f", str(allowed), "-s", file.name]
        done = _ssh_keygen(["-Y", "find-principals", *known], b"")
        names = done.stdout.decode("utf-8", "replace").splitlines()
        if done.returncode == 0 and names:
            who = names[0].split(",")[0]
            check = ["-Y", "verify", *known, "-I", who, "-n", NAMESPACE]
            done = _ssh_keygen(check, checkpoint.signed_text)
            if done.returncode == 0:
                return who
    raise CheckpointError(
        f"The signature of the checkpoint of record {checkpoint.seq} is not one of those allowed"
        f" in {allowed}: {_said(done)}."
    )


def _ssh_keygen(arguments: list[str], text: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments],
            input=text,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise CheckpointError(f"ssh-keygen, which signatures need, does not work: {e}.") from e


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in lines if line.strip()), "ssh-keygen says no")
