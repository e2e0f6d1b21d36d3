"""Who is the same person, whatever they are called at the moment. Pure.

People have several accounts, e-mail addresses, keys and spellings. Rules such as "not the author"
and "a second person" count persons: two names that are told apart only by case, by width or by
characters that nobody sees are one, and so is every name that hatchway.yaml lists for somebody.
"""

from __future__ import annotations

import unicodedata

from msgspec import Struct


class Who(Struct, frozen=True):
    """Somebody who asks for something.

    `name` is what the journal calls them. `person` is the name in hatchway.yaml of the person that
    they are, empty for somebody who is not listed; `names` is all that this person is known by.
    `how` says how they are known: "uid 1000", "token ana", "signature SHA256:...".
    """

    name: str
    person: str = ""
    names: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    how: str = ""
    signed: bool = False  # by a key of this person, for this very answer
    must_sign: bool = False  # this person's yes to a release counts with a signature only
    shared: bool = False  # an account of several people: it does not say who it is


def fold(name: str) -> str:
    """A name without what does not tell people apart: case, width, spaces, unseen characters."""
    seen = "".join(
        c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf"
    )
    folded = unicodedata.normalize("NFKC", seen.casefold())
    return " ".join(folded.split())


def parts(given: str) -> frozenset[str]:
    """What "Ana <ana@example.org>" may be recognised by, folded: both halves, and the whole."""
    name, opened, rest = given.rpartition("<")
    found = {fold(given)}
    if opened:
        found |= {fold(name), fold(rest.rpartition(">")[0] or rest)}
    return frozenset(found - {""})


def known_as(who: Who) -> frozenset[str]:
    """Everything that this person is recognised by, folded."""
    return frozenset(part for name in (who.name, who.person, *who.names) for part in parts(name))


def is_named(who: Who, *given: str) -> bool:
    """Whether one of the names, as git or the journal has them, is this person's."""
    mine = known_as(who)
    return any(not mine.isdisjoint(parts(name)) for name in given)


def first_named(who: Who, given: tuple[str, ...]) -> str:
    """The first of the names that is this person's; empty when none is."""
    mine = known_as(who)
    return next((name for name in given if not mine.isdisjoint(parts(name))), "")
