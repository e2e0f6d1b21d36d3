"""A person's yes, on its way from the wire to the core: whose it is, and what it is a yes to."""

from __future__ import annotations

import msgspec

from hatchway.conductor.ledger import Ledger
from hatchway.conductor.terms import Terms
from hatchway.core import commands as cmd
from hatchway.core import roles
from hatchway.core.decide import Refused
from hatchway.core.people import Who
from hatchway.core.state import Item, Run
from hatchway.edge.identity import Identity, People
from hatchway.edge.protocol import Command
from hatchway.edge.signing import NotSigned, Signing
from hatchway.forge.port import ForgeError
from hatchway.journal.port import JournalError


class Yes:
    """One per backend."""

    def __init__(self, ledger: Ledger, terms: Terms, signing: Signing, people: People) -> None:
        self._ledger = ledger
        self._terms = terms
        self._signing = signing
        self._people = people

    async def challenge(self, command: Command) -> str | Refused:
        """The text that a yes to a release is signed over."""
        found = self._approval(command.item)
        if found is None:
            return Refused(
                "no_such_item", f"Nothing called {command.item!r} waits for a yes to a release."
            )
        run, item = found
        return self._signing.question(run, item, command.max_weight, command.not_before)

    async def accept(self, command: Command, who: Identity) -> cmd.Accept | Refused:
        """What the core is asked, after everything was looked at that a yes depends on."""
        accept = cmd.Accept(
            id=command.id,
            by=who.name,
            item=command.item,
            expect_version=command.expect_version,
            reason=command.reason,
            who=who.who,
            max_weight=command.max_weight,
            not_before=command.not_before,
        )
        found = self._approval(command.item)
        if found is None:
            return accept
        run, item = found
        try:
            await self._terms.look(run.id, closely=True)
        except ForgeError as error:
            return Refused(
                "unknown",
                f"Whether this still ships what was asked about cannot be read: {error}.",
                "Answer again when the repository can be read.",
            )
        except JournalError:
            pass  # a yes is refused by the journal itself, in its own words
        if not command.signature:
            return accept
        return await self._signed(command, who, item, accept)

    async def _signed(
        self, command: Command, who: Identity, item: Item, accept: cmd.Accept
    ) -> cmd.Accept | Refused:
        """The same yes, as that of the person whose key signed it."""
        try:
            signature = await self._signing.signed(
                item, command.signed, command.signature, command.max_weight, command.not_before
            )
        except NotSigned as error:
            return Refused("not_signed", str(error), error.todo)
        person = self._people.signer(signature.principal)
        if person is None:
            return Refused(
                "not_listed",
                f"The key is {signature.principal}'s, who is not under people in hatchway.yaml.",
                "List them there, by this name or with it as an alias.",
            )
        if who.person and not who.shared and who.person != person.name:
            return Refused(
                "not_signed",
                f"You are {who.person}, and the key is {person.name}'s.",
                "Sign with your own key.",
            )
        why = roles.why_not("approve", person.roles)
        if why:
            return Refused("not_allowed", f"The key is {person.name}'s: {why}.", "")
        through = f"through {who.name}, {who.who.how}" if who.name != person.name else who.who.how
        signer = Who(
            name=person.name,
            person=person.name,
            names=person.names,
            roles=person.roles,
            how=f"signature {signature.fingerprint} {through}",
            signed=True,
        )
        return msgspec.structs.replace(accept, by=signer.name, who=signer, signature=signature)

    def _approval(self, item_id: str) -> tuple[Run, Item] | None:
        """The open question about a release with this name, and its run."""
        for run in self._ledger.state.runs.values():
            item = run.items.get(item_id)
            if item is not None and item.type == "approval" and item.status == "open":
                return run, item
        return None
