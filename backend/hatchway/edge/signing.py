"""A yes that is signed with a person's SSH key: the question to sign, and who signed it.

The backend makes the text: it names the question, the digest of what a yes is bound to, how far the
yes goes, and a nonce. Each is good for one answer within `GOOD_FOR_S`, so that a signature that was
seen by others is worth nothing to them.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path

from hatchway.core.approvals import digest
from hatchway.core.events import Signature
from hatchway.core.state import Item, Run
from hatchway.journal.ssh_signature import APPROVAL, SignatureError, who_signed

GOOD_FOR_S = 300.0
MOST_OPEN = 200  # questions that are not answered yet; the oldest is forgotten then


class NotSigned(Exception):
    """A signature does not count: why, and what to do."""

    def __init__(
        self, why: str, todo: str = "Sign again: hatchway accept ITEM --sign KEY."
    ) -> None:
        super().__init__(why)
        self.todo = todo


class Signing:
    """One per backend. What it has asked is forgotten when the backend ends."""

    def __init__(self, allowed: Path | None, clock: Callable[[], float]) -> None:
        """`allowed` is the file of allowed signers; `clock` is any steady one, in seconds."""
        self._allowed = allowed
        self._clock = clock
        self._asked: dict[str, float] = {}  # by text: until when it is good

    def question(self, run: Run, item: Item, max_weight: int, not_before: float) -> str:
        """The text that a person has to sign to say yes to `item`."""
        while len(self._asked) >= MOST_OPEN:
            del self._asked[next(iter(self._asked))]
        text = "\n".join(
            (
                "I say yes to a release, at hatchway.",
                f"item: {item.id}",
                f"release: {run.service} {run.to_version} in {run.environment}",
                f"commit: {run.commit}",
                f"binding: {digest(item)}",
                f"at most: {max_weight} %",
                f"not before: {not_before:.0f}",
                f"nonce: {secrets.token_hex(16)}",
                "",
            )
        )
        self._asked[text] = self._clock() + GOOD_FOR_S
        return text

    async def signed(
        self, item: Item, text: str, armored: str, max_weight: int, not_before: float
    ) -> Signature:
        """The proof of who signed a yes to `item`. Raises NotSigned."""
        if self._allowed is None:
            raise NotSigned(
                "No file of allowed signers is configured, so no signature can be checked.",
                "Set allowed_signers in hatchway.yaml; see ssh-keygen(1), ALLOWED SIGNERS.",
            )
        until = self._asked.pop(text, None)
        if until is None:
            raise NotSigned("This is not a question that waits for a signature, or no longer.")
        if self._clock() > until:
            raise NotSigned(f"It was signed too late: a question is good for {GOOD_FOR_S:g} s.")
        goes = (f"at most: {max_weight} %", f"not before: {not_before:.0f}")
        if f"binding: {digest(item)}" not in text or not all(f"{line}\n" in text for line in goes):
            raise NotSigned("What was signed is not what is answered.")
        if _by_others(self._allowed):
            raise NotSigned(
                f"Others than its owner can write {self._allowed.name}, so it says nothing about "
                "who may sign.",
                f"chmod go-w {self._allowed}",
            )
        try:
            signer = await asyncio.to_thread(
                who_signed, text.encode(), armored, self._allowed, APPROVAL
            )
        except SignatureError as error:
            raise NotSigned(f"The signature does not count: {error}.") from error
        return Signature(text, armored, signer.principal, signer.fingerprint)


def _by_others(path: Path) -> bool:
    """Whether a file can be written by others: a key that they add would be anybody's they say."""
    try:
        return bool(path.stat().st_mode & 0o022)
    except OSError:
        return False  # OpenSSH says what is the matter with it
