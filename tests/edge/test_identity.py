from __future__ import annotations

import asyncio
import pwd
import threading

import pytest

from hatchway.core.plan import Installation, Person
from hatchway.edge.identity import RIGHTS, Identity, People

STOPS = {"pause", "takeover", "rollback", "stop_all"}

# Who may do what, written out from the safety design.
TELLS = {"expect", "withdraw"}
SHIFT = {"handover", "acknowledge", "ask"}
TABLE = {
    "viewer": {"ask"},
    "auditor": {"review", "ask"},
    "agent": {"propose"},
    "operator": STOPS | TELLS | SHIFT | {"release", "readmit", "start", "drill", "review"},
    "approver": STOPS | TELLS | SHIFT | {"approve", "lift", "close", "review"},
    "admin": STOPS | SHIFT | {"release", "readmit", "configure", "drill", "review"},
}


def accounts(**uids: int) -> object:
    def lookup(uid: int) -> pwd.struct_passwd:
        for login, its in uids.items():
            if its == uid:
                return pwd.struct_passwd((login, "x", uid, uid, "", "/", "/bin/sh"))
        raise KeyError(uid)

    return lookup


def installation(*people: Person, everyone: tuple[str, ...] = ("viewer",)) -> Installation:
    return Installation("prod", "test", (), people=people, everyone=everyone)


def about(who: Identity) -> tuple[str, int, tuple[str, ...], str]:
    return who.name, who.uid, who.roles, who.person


@pytest.mark.parametrize("role", TABLE)
def test_each_role_may_do_what_the_design_says_and_nothing_else(role: str) -> None:
    who = Identity("ana", 1000, (role,))
    assert {right for right in RIGHTS if who.may(right)} == TABLE[role]


@pytest.mark.parametrize("role", TABLE)
def test_an_agent_may_propose_and_nothing_else_whatever_else_it_is(role: str) -> None:
    who = Identity("bot", 1000, ("agent", role))
    assert {right for right in RIGHTS if who.may(right)} == {"propose"}


@pytest.mark.parametrize("role", TABLE)
def test_read_only_takes_every_right_away_and_says_why(role: str) -> None:
    you = Identity("ana", 1000, (role,), read_only=True).you()
    assert you.can == ()
    assert you.read_only
    assert "read-only" in you.why_not


def test_what_is_missing_is_said_in_words() -> None:
    assert Identity("ana", 1, ("viewer",)).you().why_not == (
        "viewers cannot pause, takeover, rollback, release and approve; ask oncall"
    )
    assert Identity("ana", 1, ("operator",)).you().why_not == "operators cannot approve; ask oncall"
    assert (
        Identity("ana", 1, ()).why_not("pause") == "people without a role cannot pause; ask oncall"
    )
    assert Identity("ana", 1, ("operator", "approver")).you().why_not == ""


async def test_a_listed_person_is_found_by_login_or_uid() -> None:
    ana = Person("ana", login="a.lovelace", roles=("operator",))
    luis = Person("luis", uid=1002, roles=("approver",))
    people = People(installation(ana, luis), accounts(**{"a.lovelace": 1001, "luis": 1003}))
    assert about(await people.behind(1001)) == ("ana", 1001, ("operator",), "ana")
    assert about(await people.behind(1002)) == ("luis", 1002, ("approver",), "luis")


async def test_an_account_named_like_a_listed_person_is_not_that_person() -> None:
    ana = Person("ana", login="a.lovelace", roles=("operator",))
    people = People(installation(ana), accounts(ana=1005, agent=1006))
    # It has nobody's rights, and its yes is no second person's.
    assert about(await people.behind(1005)) == ("ana(uid-1005)", 1005, ("viewer",), "ana")
    assert (await people.behind(1006)).name == "agent(uid-1006)"


async def test_an_account_without_a_name_has_its_number() -> None:
    people = People(installation(everyone=("operator",)), accounts())
    assert about(await people.behind(4242)) == ("uid-4242", 4242, ("operator",), "")


async def test_an_account_database_that_hangs_keeps_nobody_out() -> None:
    back = threading.Event()
    asked = []

    def hangs(uid: int) -> pwd.struct_passwd:
        asked.append(uid)
        back.wait(30)
        return pwd.struct_passwd(("ana", "x", uid, uid, "", "/", "/bin/sh"))

    people = People(installation(Person("luis", uid=7, roles=("operator",))), hangs)
    try:
        async with asyncio.timeout(15):
            assert (await people.behind(7)).name == "luis"
            assert (await people.behind(8)).name == "uid-8"
            again = await asyncio.gather(*(people.behind(8) for _ in range(40)))
            assert {who.name for who in again} == {"uid-8"}
            assert asked == [8], "or it would take all threads that others need"
    finally:
        back.set()
    async with asyncio.timeout(15):
        assert (await people.behind(8)).name == "ana"  # what failed is not remembered


async def test_an_alias_takes_rights_away_and_gives_none() -> None:
    ana = Person("ana", "a.lovelace", roles=("approver",), aliases=("Ana@Example", "deploy-2"))
    people = People(installation(ana), accounts(**{"a.lovelace": 1001, "deploy-2": 1002}))
    again = await people.behind(1002)
    assert about(again) == ("deploy-2", 1002, ("viewer",), "ana")
    token = people.with_token("ANA@example", ("approver",))
    assert (token.name, token.roles, token.person) == ("ANA@example", ("approver",), "ana")
    assert people.with_token("luis", ("approver",)).person == ""
    assert people.with_token("hatchway", ("operator",)).name == "hatchway(token)"


async def test_the_full_name_of_an_account_is_a_name_of_its_person() -> None:
    def lookup(uid: int) -> pwd.struct_passwd:
        return pwd.struct_passwd(("al", "x", uid, uid, "Ana Lovelace,,,", "/", "/bin/sh"))

    who = await People(installation(), lookup).behind(7)
    assert who.names == ("al", "Ana Lovelace")
