"""Hostile texts in every field of everything a screen can show: no terminal gets any of it.

Every page of the registry and every answer to a query is poisoned from its type, so a page that is
added tomorrow is in here without a line being written.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from harness.poisoned import LEAKS, TEXTS, Drug
from harness.tty import terminal
from msgspec.structs import replace

from hatchway.edge import protocol as wire
from hatchway.edge.docs.asks import AsksDoc
from hatchway.edge.docs.replay import ReplayDoc
from hatchway_tui import hands as rules
from hatchway_tui.asked import DOCS
from hatchway_tui.control import Rights
from hatchway_tui.hands import Armed, Entry, Hands, Notice, Order
from hatchway_tui.keys import ACTIONS
from hatchway_tui.mirror import Heard, Lost, Model, fold, items
from hatchway_tui.pages.registry import PAGES
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import paint
from hatchway_tui.safe_text import char_width
from hatchway_tui.view import View

SIZES = ((80, 24), (120, 40), (220, 70), (33, 9))
MIRRORED: dict[str, type[msgspec.Struct]] = {
    "system": wire.SystemDoc, "authority/shop": wire.AuthorityDoc, "run/r1": wire.RunDoc,
    "metrics/r1": wire.MetricsDoc, "history/r1": wire.HistoryDoc, "needs-you": wire.NeedsDoc,
    "audit/tail": wire.AuditDoc, "log/r1": wire.LogDoc, "asks": AsksDoc,
}  # fmt: skip
REPLAYED = {"replay": ReplayDoc}  # every second time: it makes all the others past
RAW = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ue000-\uf8ff]")
SPARE: dict[str, object] = {"service": "shop", "run": "r1"}


def poisoned(turn: int) -> tuple[Drug, dict[str, msgspec.Struct]]:
    """All mirrored documents, and who made them hostile. Every third is hostile in its names too."""
    drug = Drug(turn, {**SPARE, **({} if turn % 3 == 2 else {"id": "r1"})})
    kinds = {**MIRRORED, **(REPLAYED if turn % 2 else {})}
    docs = {key: drug.make(kind) for key, kind in kinds.items()}
    run = docs["run/r1"]
    docs["run/r1"] = replace(run, service="shop", id="r1")
    return drug, docs


def heard(model: Model, message: wire.ServerMessage, at: float = 100.0) -> Model:
    return fold(model, Heard(message, at))


def model_of(drug: Drug, docs: dict[str, msgspec.Struct]) -> Model:
    raw = {key: msgspec.Raw(msgspec.json.encode(doc)) for key, doc in docs.items()}
    you = replace(drug.make(wire.You), name=drug.text())
    model = heard(Model(skew=0.0), wire.Hello(1, drug.text(), drug.text(), you, 1, 100.0))
    model = heard(model, wire.Snapshot(1, raw))
    assert model.unread == "", "every document was understood"
    return model


def views(turn: int) -> Iterator[tuple[str, View]]:
    """Every screen: first, with the plan, with a line to type in, without a backend; every page."""
    drug, docs = poisoned(turn)
    model = model_of(drug, docs)
    rights = Rights(name=drug.text())
    item = items(model)[0].id
    ground = rules.ground_of(model, "shop")
    made = {
        "plain": Hands(service="shop", focus=item),
        "armed": Hands(service="shop", armed=Armed(100.0, "shop", ground, "agent", 4)),
        "typing": Hands(service="shop", entry=Entry("accept", drug.text()[:60], item)),
        "told": Hands(
            service="shop", notice=Notice(drug.text(), "bad", 1e9),
            orders=(Order(drug.text(), "pause", 99.0, said=drug.text()),),
        ),
    }  # fmt: skip
    for name, hands in made.items():
        yield name, View(model, hands, rights, 1_790_000_100.0, 100.5, drug.text())
    lost = fold(model, Lost("down", 101.0, drug.text(), 102.0))
    yield "lost", View(lost, made["plain"], rights, 1_790_000_100.0, 109.0, drug.text())
    for page in PAGES:
        yield from pages(drug, model, rights, page)


def pages(drug: Drug, model: Model, rights: Rights, name: str) -> Iterator[tuple[str, View]]:
    """A page with its answer, without it, and refused; scrolled, searched through and filtered."""
    hands = Hands(service="shop", page=name)
    view = View(model, hands, rights, 1_790_000_100.0, 100.5, drug.text())
    yield f"{name}, not answered", view
    asks = PAGES[name].asks(view)
    if asks is not None:
        kind, about = asks
        doc = msgspec.Raw(msgspec.json.encode(drug.make(DOCS[kind])))
        told = heard(model, wire.Told("q", kind, about, doc))
        assert f"{kind}/{about}" in told.told, told.untold
        refused = heard(model, wire.Refused(f"q:{kind}/{about}", drug.text(), drug.text()))
        yield f"{name}, refused", replace(view, model=refused)
        view = replace(view, model=told)
    for scroll in (0, 7, 400):
        yield f"{name}, scrolled by {scroll}", replace(view, hands=replace(hands, scroll=scroll))
    for wanted in ("a", "\x1b]52", "漢", TEXTS[4]):
        yield f"{name}, / {wanted!r}", replace(view, hands=replace(hands, filter=wanted))


@pytest.mark.parametrize("turn", range(3))
def test_no_painter_lets_anything_raw_through_and_every_row_has_its_width(turn: int) -> None:
    drug_texts = 0
    for name, view in views(turn):
        for width, height in SIZES:
            lines = paint(view, width, height)
            text = "".join(part for line in lines for part, _ in line)
            found = RAW.search(text)
            assert found is None, (name, width, found)
            assert not [leak for leak in LEAKS if leak in text], name
            assert len(lines) == height
            cells = {sum(char_width(c) for part, _ in line for c in part) for line in lines}
            assert cells == {width}, (name, width, cells)
            drug_texts += 1
    assert drug_texts > 4 * 4 * len(PAGES)


def test_what_is_hostile_is_shown_and_not_swallowed() -> None:
    """The painters' silence would pass the other test as well."""
    said = {name: text_of(paint(view, 220, 70)) for name, view in views(0)}
    everything = "\n".join(said.values()).casefold()
    for shown in ("␛", "<202e>", "]52;c;", "[@click=app.quit]", "[/foo]"):
        assert shown in everything, shown
    for page in PAGES:
        assert any(name.startswith(page) and "␛" in text for name, text in said.items()), page


def test_every_answer_to_a_query_can_be_made_hostile(bar: Any) -> None:
    """Otherwise a page could show a text that no test has poisoned."""
    texts = 0
    for kind, doc in DOCS.items():
        drug = Drug(0, {})
        made = drug.make(doc)
        assert msgspec.json.decode(msgspec.json.encode(made), type=doc) == made, kind
        assert drug.count, f"there is no text in an answer to {kind}"
        texts += drug.count
    bar("hostile texts in the answers to queries", f"{len(DOCS)} kinds, {texts} texts", "all")


def test_every_document_of_the_mirror_is_in_here() -> None:
    """`mirror._document` reads these; a new one has to be poisoned too."""
    import inspect

    from hatchway_tui import mirror

    kinds = set(re.findall(r'case "([a-z-]+)":', inspect.getsource(mirror._document)))
    assert kinds == {key.partition("/")[0] for key in MIRRORED | REPLAYED}


PLAIN_OUTPUT = re.compile(
    r"\x1b\[[0-9;?>]*[HmJKhlABCDGnqptu$]{1,2}|\x1b\[<u|\x1b\]22;default\x07"
    r"|\x1b\]2;[^\x00-\x1f\x7f-\x9f]*\x1b\\|\x1b\]9;[^\x00-\x1f\x7f-\x9f]*\x1b\\|\x07|\x1b[78=>]"
)
"""All that the dashboard itself writes: places, colours, modes, title, notification, bell."""


def keys_of_pages() -> list[str]:
    """A key that opens each page, by the registry of actions."""
    plain = {"question_mark": "?", "colon": ":", "slash": "/"}
    keys = (
        next((k for k in each.keys if len(k) == 1 or k in plain), "")
        for each in ACTIONS
        if each.page
    )
    return [plain.get(key, key) for key in keys if key]


async def test_no_control_sequence_of_a_text_is_in_the_byte_stream_of_any_screen(
    backend: Any, governor: Any, room: Any, bar: Any
) -> None:
    texts = 0
    drug, docs = poisoned(0)
    backend.docs = docs
    backend.tell = lambda kind: drug.make(DOCS[kind]) if kind in DOCS else None
    async with terminal(room, 120, 40) as tty:
        await tty.that(lambda: "␛" in tty.text)
        for turn in range(4):
            drug, docs = poisoned(turn)
            await backend.play(docs)
            for key in keys_of_pages():
                seen = len(tty.heard)
                tty.send(key)
                await tty.that(lambda seen=seen: len(tty.heard) > seen)  # type: ignore[misc]
                await asyncio.sleep(0.15)  # the answer to its query
                assert tty.child.isalive(), tty.text
            tty.send("\r")
            await asyncio.sleep(0.1)
            texts += drug.count
        tty.send("\x1b[O")  # looks elsewhere: notifications
        await backend.play(poisoned(5)[1])
        await asyncio.sleep(0.6)
        assert tty.child.isalive()
        raw = tty.bytes.decode("utf-8")
    left = PLAIN_OUTPUT.sub("", raw)
    found = RAW.search(left)
    assert found is None, (found, left[max(found.start() - 60, 0) : found.start() + 60])
    assert [c.kind for c in backend.commands] == []
    bar("hostile corpus, bytes of every screen", f"{texts} texts, 0 raw control sequences", "0")
