"""Who may do what, and how they prove who they are: the people of `hatchway.yaml`."""

from __future__ import annotations

from collections.abc import Callable

from hatchway.core.people import fold
from hatchway.core.plan import Person
from hatchway.settings.document import Entry, Page, Table
from hatchway.settings.errors import quoted
from hatchway.settings.fields import Fields

ROLES = ("viewer", "operator", "approver", "admin", "auditor")
KEYS = ("login", "uid", "roles", "aliases", "signed", "shared")


def people_of(
    page: Page, table: Table | None, named: Callable[..., list[tuple[str, Entry]]]
) -> tuple[Person, ...]:
    """The people of a page; mistakes are reported to it."""
    found: list[Person] = []
    for name, entry in named(page, table, "a person"):
        fields = Fields(page, entry.value, f"the person {quoted(name)}", KEYS)
        person = _person(fields, name)
        if person.login and any(person.login == other.login for other in found):
            what = f"two people have the login {quoted(person.login)}"
            fields.report("login", what, "one of them")
        else:
            _own_names(fields, person, found)
        found.append(person)
    return tuple(found)


def _person(fields: Fields, name: str) -> Person:
    login = fields.text("login", "", example=name)
    uid = fields.whole("uid", -1, low=0, high=2**32 - 2, example=1000)
    if not login and uid < 0 and not fields.has("aliases"):
        fields.report("login", f"{quoted(name)} has no account", f"login: {name}")
    roles = fields.words("roles", ROLES, example="[viewer]", default=("viewer",))
    aliases = fields.texts("aliases", example=f"[{name}@example.org]")
    shared = fields.flag("shared", False)
    if {"admin", "approver"} <= set(roles):
        fields.page.note(
            fields.value("roles"),
            f"{quoted(name)} may change the rules and say yes under them; a yes of theirs does not "
            "count in a run during which they changed",
            "admin and approver as two people",
        )
    signed = fields.choice("signed", ("required", "optional"), "optional") == "required"
    return Person(name, login, uid, roles, aliases, signed, shared)


def _own_names(fields: Fields, person: Person, others: list[Person]) -> None:
    """A name that two people have would make each of them the other."""
    for other in others:
        theirs = {fold(n) for n in (other.name, other.login, *other.aliases) if n}
        for name in person.aliases:
            if fold(name) in theirs:
                what = f"{quoted(name)} is a name of {quoted(other.name)} already"
                fields.report("aliases", what, "one of them")
        for name in (person.name, person.login):
            if name and fold(name) in {fold(n) for n in other.aliases}:
                what = f"{quoted(name)} is an alias of {quoted(other.name)}"
                fields.report("login", what, f"not in the aliases of {other.name}")
