"""A yes that is signed with real keys by OpenSSH, over the real desk; verified again afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hatchway.cli.audit_signatures import checked
from hatchway.core import events as ev
from hatchway.core.plan import Person
from hatchway.edge import signing
from hatchway.edge.desk import Desk
from hatchway.edge.identity import Identity
from hatchway.edge.protocol import Ack, Command
from hatchway.journal.ssh_signature import APPROVAL, sign_text

ANA = Person("ana", "ana", roles=("approver",), aliases=("ana@example.org",))
LUIS = Person("luis", "luis", roles=("operator",))
DEPLOY = Person("deploy", "deploy", roles=("operator", "approver"), shared=True)
SHARED = Identity("deploy", 99, ("operator", "approver"), person="deploy", shared=True)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    lines = []
    for name in ("ana", "luis", "mallory"):
        new = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f")
        subprocess.run([*new, str(tmp_path / name)], check=True)
        public = (tmp_path / f"{name}.pub").read_text()
        if name != "mallory":
            who = "ana@example.org" if name == "ana" else name
            lines.append(f'{who} namespaces="hatchway-approval" {public}')
    (tmp_path / "signers").write_text("".join(lines))
    (tmp_path / "signers").chmod(0o644)  # whatever the umask here
    return tmp_path


class Shell:
    """Somebody at a shell of the shared account, with a key."""

    def __init__(self, house: Any, desk: Desk, keys: Path, who: Identity = SHARED) -> None:
        self.house, self.desk, self.keys, self.who = house, desk, keys, who
        self.count = 0

    async def ask(self, kind: Any, item: str, **more: Any) -> Any:
        self.count += 1
        command = Command(id=f"{kind}-{self.count}", kind=kind, item=item, reason="x", **more)
        return await self.desk.command(command, self.who)

    async def text(self, item: str, **more: Any) -> str:
        said = await self.ask("challenge", item, **more)
        assert isinstance(said, Ack), said
        return said.said

    def sign(self, text: str, key: str = "ana", namespace: str = APPROVAL) -> str:
        return sign_text(text.encode(), self.keys / key, namespace)

    async def yes(self, item: str, key: str = "ana", **more: Any) -> Any:
        text = await self.text(item, **more)
        return await self.ask("accept", item, signed=text, signature=self.sign(text, key), **more)


@pytest.fixture
async def asked(house: Any, keys: Path, desk_with: Callable[..., Desk]) -> tuple[Shell, Any]:
    await house.release()
    item = await house.until(house.open_item, "an approval")
    desk = desk_with(house, ANA, LUIS, DEPLOY, signers=keys / "signers")
    return Shell(house, desk, keys), item


async def test_a_shared_account_says_yes_by_a_persons_key_and_it_is_verified_again_offline(
    asked: Any, keys: Path
) -> None:
    shell, item = asked
    plain = await shell.ask("accept", item.id)
    assert plain.code == "unsigned"
    assert "--sign" in plain.todo
    assert (await shell.yes(item.id)).said == "accepted by ana"
    closed = shell.house.of(ev.ItemClosed)[-1]
    assert (closed.by, closed.person) == ("ana", "ana")
    assert closed.how.startswith("signature SHA256:")
    assert closed.how.endswith("through deploy, uid 99")
    (one,) = checked(shell.house.store.records, keys / "signers")
    assert (one.why, one.principal) == ("", "ana@example.org")
    # and a signature that is another one's, or over something else, is found
    (keys / "others").write_text((keys / "signers").read_text().splitlines()[1] + "\n")
    (bad,) = checked(shell.house.store.records, keys / "others")
    assert bad.why


async def test_one_signature_is_good_for_one_answer(asked: Any) -> None:
    shell, item = asked
    text = await shell.text(item.id)
    signature = shell.sign(text)
    first = await shell.ask("accept", "run-1.approval.9", signed=text, signature=signature)
    assert first.code == "no_such_item"
    assert isinstance(await shell.ask("accept", item.id, signed=text, signature=signature), Ack)
    shell.house.desk._terms = None
    again = await shell.ask("accept", item.id, signed=text, signature=signature)
    assert again.code in ("closed", "not_signed")
    with pytest.raises(signing.NotSigned, match="no longer"):
        await shell.desk._yes._signing.signed(item, text, signature, 100, 0.0)


async def test_a_signature_is_not_good_after_its_time(
    asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell, item = asked
    monkeypatch.setattr(signing, "GOOD_FOR_S", -1.0)
    refused = await shell.yes(item.id)
    assert refused.code == "not_signed"
    assert "too late" in refused.why


async def test_what_is_answered_has_to_be_what_was_signed(asked: Any) -> None:
    shell, item = asked
    text = await shell.text(item.id, max_weight=25)
    for tampered in (text, text.replace("25 %", "100 %"), text + "x"):
        answer = await shell.ask(
            "accept", item.id, signed=tampered, signature=shell.sign(tampered), max_weight=100
        )
        assert answer.code == "not_signed", tampered
    text = await shell.text(item.id, max_weight=25)
    other = shell.sign(text.replace("25 %", "26 %"))
    answer = await shell.ask("accept", item.id, signed=text, signature=other, max_weight=25)
    assert answer.code == "not_signed"
    assert isinstance(await shell.yes(item.id, max_weight=25), Ack)
    assert shell.house.of(ev.ItemClosed)[-1].max_weight == 25


@pytest.mark.parametrize("what", ["stranger", "namespace", "garbage", "no signers"])
async def test_a_signature_by_nobody_who_is_allowed_does_not_count(
    asked: Any, keys: Path, what: str
) -> None:
    shell, item = asked
    text = await shell.text(item.id)
    match what:
        case "stranger":
            signature = shell.sign(text, "mallory")
        case "namespace":
            signature = shell.sign(text, namespace="file")
        case "no signers":
            signature = shell.sign(text)
            (keys / "signers").unlink()
        case _:
            signature = "-----BEGIN SSH SIGNATURE-----\nx\0y\n-----END SSH SIGNATURE-----\n"
    answer = await shell.ask("accept", item.id, signed=text, signature=signature)
    assert answer.code == "not_signed"
    assert not shell.house.of(ev.ItemClosed)


@pytest.mark.parametrize("mode", [0o622, 0o620, 0o602])
async def test_allowed_signers_that_others_can_write_vouch_for_nobody(
    asked: Any, keys: Path, mode: int
) -> None:
    shell, item = asked
    (keys / "signers").chmod(mode)
    said = await shell.yes(item.id)
    assert said.code == "not_signed"
    assert "chmod go-w" in said.todo
    (keys / "signers").chmod(0o644)
    assert isinstance(await shell.yes(item.id), Ack)


async def test_a_key_says_yes_with_the_rights_of_its_person_only(asked: Any, keys: Path) -> None:
    shell, item = asked
    answer = await shell.yes(item.id, "luis")
    assert answer.code == "not_allowed"
    assert "luis" in answer.why


async def test_nobody_signs_with_somebody_elses_key_from_an_account_of_their_own(
    asked: Any, keys: Path
) -> None:
    shell, item = asked
    shell.who = Identity("luis", 7, ("approver",), person="luis")
    answer = await shell.yes(item.id, "ana")
    assert answer.code == "not_signed"
    assert "You are luis" in answer.why


async def test_two_signed_yeses_of_one_person_are_one(
    house: Any, keys: Path, desk_with: Callable[..., Desk]
) -> None:
    import msgspec

    from hatchway.core.plan import ReleaseStage

    plan = house.plans["shop"]
    stages = tuple(
        msgspec.structs.replace(s, approvals=2, signed=True) if isinstance(s, ReleaseStage) else s
        for s in plan.stages
    )
    house.plans["shop"] = msgspec.structs.replace(plan, stages=stages)
    await house.release()
    item = await house.until(house.open_item, "an approval")
    shell = Shell(house, desk_with(house, ANA, DEPLOY, signers=keys / "signers"), keys)
    assert isinstance(await shell.yes(item.id), Ack)
    second = await house.until(house.open_item, "the second question")
    assert (await shell.yes(second.id)).code == "second_person"
