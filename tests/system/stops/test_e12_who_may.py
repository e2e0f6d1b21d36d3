"""E12: whoever works on releases may stop; only people give back; the server checks it, not a screen."""

from __future__ import annotations

import getpass
import itertools
from typing import Any, get_args

import pytest

from hatchway.core.roles import RIGHTS, ROLES, why_not
from hatchway.edge import protocol as p
from hatchway.edge.door import DrillReport, StartRequest, allowed
from hatchway.edge.identity import Identity

AT_WORK = frozenset({"operator", "approver", "admin"})
STOPS = ("pause", "takeover", "rollback")


def all_actors() -> list[tuple[str, ...]]:
    """Every set of roles that somebody can have."""
    return [
        roles for size in range(len(ROLES) + 1) for roles in itertools.combinations(ROLES, size)
    ]


ENOUGH = {
    **dict.fromkeys((*STOPS, "stop_all"), AT_WORK),
    **dict.fromkeys(("release", "readmit", "drill"), frozenset({"operator", "admin"})),
    **dict.fromkeys(("accept", "reject", "challenge"), frozenset({"approver"})),
    "start": {"operator"},
    "review": AT_WORK | {"auditor"},
    "handover": AT_WORK,
    "acknowledge": AT_WORK,
    "ask": AT_WORK | {"viewer", "auditor"},
}
"""Of which roles one is enough, for each thing that can be asked for."""


def request(kind: str) -> Any:
    if kind == "start":
        return StartRequest(id="x", service="shop")
    if kind == "drill":
        return DrillReport(id="x", evidence="{}")
    return p.Command(id="x", kind=kind, service="shop", item="i", reason="r")  # type: ignore[arg-type]


def test_e12_no_command_is_missing_here() -> None:
    assert {*get_args(p.CommandKind), "start", "drill"} == set(ENOUGH)


@pytest.mark.parametrize("read_only", [False, True])
def test_e12_every_set_of_roles_times_every_command(read_only: bool) -> None:
    tried = 0
    for roles in all_actors():
        who = Identity("ana", 1, roles, read_only=read_only)
        for kind, enough in ENOUGH.items():
            refused = allowed(request(kind), who)
            looks = read_only and kind != "ask"  # which changes nothing
            may = not looks and "agent" not in roles and bool(enough & set(roles))
            assert (refused is None) == may, (roles, kind)
            tried += 1
            if refused is not None:
                assert refused.code == "not_allowed"
                assert refused.why
                assert refused.todo
    assert tried == 2 ** len(ROLES) * len(ENOUGH)


def test_e12_an_agent_has_no_right_but_to_propose_whatever_else_it_is_called() -> None:
    for roles in all_actors():
        if "agent" in roles:
            rights = {right for right in RIGHTS if not why_not(right, roles)}
            assert rights == {"propose"}, roles


ROLE_MAY = {
    "viewer": (), "auditor": (),
    "operator": (*STOPS, "release"), "approver": STOPS, "admin": (*STOPS, "release"),
}  # fmt: skip


@pytest.mark.parametrize("role", list(ROLE_MAY))
def test_e12_the_running_backend_asks_the_kernel_who_it_is_and_the_table_what_it_may(
    stack: Any, role: str
) -> None:
    stack.give_back()
    config = stack.d / "config" / "hatchway.yaml"
    text = config.read_text()
    entry = f"people:\n  ana: {{login: {getpass.getuser()}, roles: [{role}]}}\n"
    assert "\npeople:\n" in text
    config.write_text(text.replace("\npeople:\n", f"\n{entry}"))
    try:
        stack.kill(stack.backend)
        stack.start_backend()
        stack.until(stack.healthy, "it is well")
        for kind in (*STOPS, "release"):
            before = stack.status()
            answer = stack.demo.ask(op=kind, id=f"e12-{role}-{kind}", reason="r")
            assert answer["ok"] == (kind in ROLE_MAY[role]), answer
            if not answer["ok"]:
                assert answer["code"] == "not_allowed"
                assert stack.status()["epoch"] == before["epoch"], "nothing happened"
            elif kind != "release":
                assert stack.status()["holder"] == "ana", "the name is the server's"
            else:
                stack.until(stack.healthy, "given back")
                runs = [d for k, d in stack.demo.docs().items() if k.startswith("run/")]
                live = [d for d in runs if d["status"] != "ended"]
                assert all(d["mode"] == "recommend" for d in live), "through its gates again"
    finally:
        config.write_text(text)
        stack.kill(stack.backend)
        stack.start_backend()
        stack.give_back()
