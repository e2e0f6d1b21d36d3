"""Cards, the marked item, the policy's "why not?" and the track record: said in words, at any size."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from hatchway.edge import protocol as wire
from hatchway.edge.docs.policy import BarDoc, ConditionDoc, PolicyDoc, RuleDoc
from hatchway.edge.docs.record import RecordDoc, ScoreDoc
from hatchway_tui import hands as rules
from hatchway_tui.control import Rights, why_not
from hatchway_tui.hands import Hands
from hatchway_tui.mirror import Heard, Model, fold
from hatchway_tui.pages.registry import PAGES
from hatchway_tui.paint.canvas import text_of
from hatchway_tui.paint.first import paint
from hatchway_tui.paint.ink import ASCII
from hatchway_tui.safe_text import safe
from hatchway_tui.safe_text import width as cells
from hatchway_tui.view import View

NOW = 1_790_000_000.0
WIDTHS = (76, 116)
HOSTILE = "\x1b]52;c;aGk=\x07\u202e\x9b31m[@click=app.quit]x[/foo]\r\n漢字\u0301"
ASKED = wire.ItemDoc(
    "i1", "recommendation", "rollback", "ROLL BACK shop to 1.4.0", "shop", "r1", NOW - 20, NOW + 3600,
    "MEDIUM", 0.91, "YES: 1.4.0 keeps running", ("errors 6.40% on canary against 0.50%",),
    default="no answer: stays as it is, held",
    changes="5 % of the traffic goes back from 1.5.0 to 1.4.0",
    record="this rule before: right 3, wrong 1, unknown 2 of 6 in prod",
    terms="commit 77ab01c9d, at 5 %: unchanged since 01:50Z", who=("needs 1 of approver, has 0",),
)  # fmt: skip
APPROVAL = wire.ItemDoc(
    "i2", "approval", "open_release", "APPROVE shop 1.5.0 for prod", "shop", "r1", NOW - 65, NOW + 14000,
    "HIGH", None, "NO: migration 0042 drops acct.old_id", ("2 people have to say yes",),
    default="no answer: held, asked again",
    changes="2 commits, 5 files: 1.4.0 to 1.5.0, first for 5 % of the traffic",
    risk_reasons=("HIGH: migrations/0042.sql drops acct.old_id", "MEDIUM: 5 files"),
    terms="commit 9f31ab2aa, artifact 9f31ab2: unchanged since 01:50Z",
    who=("needs 2 of approver, has 1: luis", "not the author: ana"),
)  # fmt: skip
CHANGED = replace(
    APPROVAL,
    terms="commit 9f31ab2aa, artifact 9f31ab2: CHANGED since 01:50Z",
    changed=("artifact changed since this was asked at 01:50Z: 9f31ab2 -> 0000000",),
)
BARRED = {"ana": "You wrote part of what ships, as Ana <ana@shop.example>. Somebody else has to."}


def view_of(
    scenes: Any, *items: wire.ItemDoc, page: str = "first", can: tuple[str, ...] = ("approve",),
    told: dict[str, msgspec.Struct] | None = None, level: str = "acts within policy",
) -> View:  # fmt: skip
    scenes.now = NOW
    docs = scenes.build("canary") | {"needs-you": wire.NeedsDoc(items)}
    docs["authority/shop"] = replace(docs["authority/shop"], level=level)
    raw = {key: msgspec.Raw(msgspec.json.encode(doc)) for key, doc in docs.items()}
    model = Model(governor_known=True, skew=NOW - 50.0)
    you = wire.You("ana", ("approver",), can)
    model = fold(model, Heard(wire.Hello(1, "x", "b", you, 7, NOW), 50.0))
    model = fold(model, Heard(wire.Snapshot(7, raw), 50.0))
    for key, doc in (told or {}).items():
        kind, _, about = key.partition("/")
        answer = wire.Told(f"q:{key}", kind, about, msgspec.Raw(msgspec.json.encode(doc)))
        model = fold(model, Heard(answer, 50.0))
    hands = rules.settle(Hands(service="shop", page=page), model, 50.0)
    return View(model, hands, Rights(False, "ana"), NOW, 50.0, "x")


def rows_of(view: View, width: int = 76) -> str:
    """All of the open page, unscrolled; each row within the page's width."""
    rows = PAGES[view.hands.page].rows(view, width)
    texts = ["".join(safe(piece.text) for piece in row) for row in rows]
    assert all(cells(text) <= width for text in texts), max(texts, key=cells)
    return "\n".join(text.rstrip() for text in texts)


def flat(text: str) -> str:
    return " ".join(text.split())


# --- cards ---------------------------------------------------------------------------------------


def test_a_recommendation_is_a_whole_card_at_80x24(scenes: Any) -> None:
    text = text_of(paint(view_of(scenes, ASKED), 80, 24))
    for part in (
        "ROLL BACK shop to 1.4.0  MEDIUM  undo safe YES  agent 91% sure",
        "5 % of the traffic goes back from 1.5.0 to 1.4.0",
        "this rule before: right 3, wrong 1, unknown 2 of 6 in prod",
        "commit 77ab01c9d, at 5 %: unchanged since 01:50Z; needs 1 of approver, has 0",
        "a accept   x reject   e all of it",
    ):
        assert part in text, part


def test_an_approval_is_a_whole_card_at_80x24_also_when_it_is_not_the_first(scenes: Any) -> None:
    view = view_of(scenes, ASKED, APPROVAL)
    view = replace(view, hands=replace(view.hands, focus="i2"))
    text = text_of(paint(view, 80, 24))
    for part in (
        "ROLL BACK shop to 1.4.0",
        "!APPROVE shop 1.5.0 for prod  HIGH  undo safe NO",
        "2 commits, 5 files: 1.4.0 to 1.5.0, first for 5 % of the traffic",
        "risk HIGH: migrations/0042.sql drops acct.old_id",
        "commit 9f31ab2aa, artifact 9f31ab2: unchanged since 01:50Z",
        "needs 2 of approver, has 1: luis",
    ):
        assert part in text, part


STATES = {
    "as asked": APPROVAL,
    "changed": CHANGED,
    "one's own work": replace(APPROVAL, barred=BARRED),
    "expired": replace(APPROVAL, expires_at=NOW - 1),
    "low risk": replace(APPROVAL, risk="LOW", risk_reasons=()),
    "undo not known": replace(APPROVAL, undo="NOT SURE: nobody looked"),
    "one person": replace(APPROVAL, who=("needs 1 of approver, has 0",)),
    "of the agent": ASKED,
    "nothing known of the rule": replace(
        ASKED, record="this rule has decided nothing like it in prod: nothing is known"
    ),
    "not sure at all": replace(ASKED, confidence=None),
    "an older backend": wire.ItemDoc("i", "approval", "x", "APPROVE", "shop", "r1", NOW, NOW + 9),
}


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_no_two_states_of_a_card_read_the_same(scenes: Any, size: tuple[int, int]) -> None:
    cards = {text_of(paint(view_of(scenes, item), *size)) for item in STATES.values()}
    assert len(cards) == len(STATES)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_two_states_of_an_item_read_the_same_on_its_page(scenes: Any, width: int) -> None:
    pages = {rows_of(view_of(scenes, i, page="item"), width) for i in STATES.values()}
    assert len(pages) == len(STATES)


def test_what_changed_stands_above_all_else(scenes: Any) -> None:
    view = view_of(scenes, CHANGED)
    rows = text_of(paint(view, 80, 24)).splitlines()
    title = next(y for y, row in enumerate(rows) if "APPROVE shop" in row)
    assert "CHANGED: artifact changed since this was asked" in rows[title + 1]
    text = flat(rows_of(view_of(scenes, CHANGED, page="item")))
    assert "CHANGED: artifact changed since this was asked at 01:50Z: 9f31ab2 -> 0000000" in text


def test_who_wrote_it_is_told_so_and_sends_no_yes_but_may_say_no(scenes: Any) -> None:
    view = view_of(scenes, replace(APPROVAL, barred=BARRED))
    item = view.model.needs.items[0]
    assert "You wrote part" in why_not(view.model, view.rights, "accept", "shop", item)
    assert why_not(view.model, view.rights, "reject", "shop", item) == ""
    hands, intents = rules.press(view.hands, view.model, view.rights, "a", "a", 60.0)
    assert intents == []
    assert hands.notice is not None
    assert "You wrote part" in hands.notice.text
    hands, _ = rules.press(view.hands, view.model, view.rights, "x", "x", 60.0)
    assert hands.entry is not None
    text = flat(rows_of(replace(view, hands=replace(view.hands, page="item"))))
    assert "ana: You wrote part of what ships" in text
    assert "x says no" in text


def test_the_items_page_says_since_when_until_when_and_what_then(scenes: Any) -> None:
    text = flat(rows_of(view_of(scenes, ASKED, page="item")))
    assert "asked 14:13:00Z, 20s ago; ends 15:13:20Z, in 60m" in text
    assert "then, without an answer: stays as it is, held" in text
    assert "91% sure this rule before: right 3" in text
    assert "you may answer: a says yes, x says no" in text
    assert "errors 6.40% on canary" in text
    looker = view_of(scenes, ASKED, page="item", can=())
    assert "you may not approve here" in rows_of(looker)
    assert rows_of(view_of(scenes, page="item")) == "nothing waits for you"


# --- policy --------------------------------------------------------------------------------------

RULE = RuleDoc(
    "promote", "ask", "not known: whether stable is healthy: 40 s old, more than 30 s",
    "prod.promote.when.stable_healthy", 17, "2 people have to say yes, one each of approver",
    (
        ConditionDoc("met", "control: agent", "control is agent, 1 s old, says governor", 18),
        ConditionDoc("unmet", "verdict: [PASS]", "verdict is UNSURE, 1 s old, says judge", 15),
        ConditionDoc("unknown", "stable_healthy: true", "whether stable is healthy: 40 s old", 17),
    ),
    ("stable_healthy: true   is unknown",), better_at=NOW + 86400, better="auto",
)  # fmt: skip
POLICY = PolicyDoc(
    "shop", "prod", NOW, "recommend", 10, "d" * 64, "r1", "agent", "recommends only: policy",
    "stays at 5%", (BarDoc("quarantine", "1.5.0 (c1) was rolled back by ana"),),
    (RULE, RuleDoc("rollback", "auto", "the policy allows rollback", "prod.rollback", 19,
                   changes_at=NOW + 60, changes_to="deny")),
    ("deploy_staging",),
)  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
def test_why_not_names_line_fact_source_people_and_the_next_time(scenes: Any, width: int) -> None:
    view = view_of(scenes, page="policy", told={"policy/shop": POLICY})
    text = rows_of(view, width)
    for part in (
        "the agent recommends only: policy",
        "mode recommend (policy.yaml:10); control agent",
        "quarantine 1.5.0 (c1) was rolled back by ana",
        "promote ASK policy.yaml:17 prod.promote.when.stable_healthy",
        "+ control: agent met :18",
        "- verdict: [PASS] unmet :15",
        "? stable_healthy: true unknown :17",
        "control is agent, 1 s old, says governor",
        "who 2 people have to say yes, one each of approver",
        "to change stable_healthy: true is unknown",
        "opens auto from Tue 22 Sep 14:13Z on",
        "rollback AUTO policy.yaml:19",
        "calendar until Mon 21 Sep 14:14Z, then deny",
        "not named in the policy, so denied: deploy_staging",
    ):
        assert part in flat(text), part


def test_an_answer_that_is_not_new_says_its_age_and_no_answer_says_why(scenes: Any) -> None:
    old = view_of(scenes, page="policy", told={"policy/shop": replace(POLICY, at=NOW - 40)})
    assert "as it was 40s ago" in rows_of(old)
    assert "asking the backend" in rows_of(view_of(scenes, page="policy"))
    view = view_of(scenes, page="policy")
    refused = wire.Refused("q:policy/shop", "not_known", "there is no service 'shop'")
    view = replace(view, model=fold(view.model, Heard(refused, 50.0)))
    assert rows_of(view) == "there is no service 'shop'"


# --- record --------------------------------------------------------------------------------------

NOTHING = ScoreDoc("prod", "rollback", "", 0, 0, 0, 0, 0, 0, 0, 0)
SOME = ScoreDoc(
    "prod", "promote", "rules-1", 9, 1, 1, 3, 2, 4, 10, 0, 2 / 14, 5 / 14, 0.71, 300, "RRRWRRH???",
)  # fmt: skip
HOLDS = ScoreDoc("prod", "hold", "rules-1", 0, 0, 0, 4, 0, 4, 0, 0, labelled=False)
SHOWN = replace(SOME, right=93, wrong=0, harmful=0, unknown=0, going=0, low=0.0, high=0.0,
                at_most=0.0499, clean_needed=0, strip="R" * 48)  # fmt: skip


def record_text(scenes: Any, *scores: ScoreDoc, width: int = 76, level: str = "acts") -> str:
    doc = RecordDoc(NOW, scores, from_nothing=93, runs=3)
    return rows_of(view_of(scenes, page="record", told={"record/": doc}, level=level), width)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_record_says_right_wrong_harmful_unknown_and_the_bounds(
    scenes: Any, width: int
) -> None:
    text = flat(record_text(scenes, SOME, HOLDS, width=width))
    for part in (
        "PROD PROMOTE BY RULES-1",
        "14 decisions (policy: 4 auto, 10 ask)",
        "right 9, wrong 1, HARMFUL 1, unknown 3 (2 in runs that go on)",
        "✓✓✓✗✓✓!???",
        "14 % to 36 %, as the unknown were right or wrong (raw ratio)",
        "at most 71 %, unknown counted as wrong",
        "300 more right ones in a row would show less than 5 % wrong",
        "prod hold by rules-1: 4 decisions (policy: 4 auto); not labelled",
        "A click on accept is no label",
    ):
        assert part in text, part


def test_where_nothing_is_known_that_is_said_plainly(scenes: Any) -> None:
    text = flat(record_text(scenes, NOTHING, level="recommends only: policy"))
    assert "PROD ROLLBACK 0 decisions: nothing is known, the agent only recommends" in text
    assert "93 right ones in a row would show less than 5 % wrong" in text
    assert "recommends" not in flat(record_text(scenes, NOTHING, level="acts within policy"))


def test_what_is_shown_is_said_to_be_and_the_band_reads_without_colour(scenes: Any) -> None:
    assert "shown: less than 5 % are wrong" in record_text(scenes, SHOWN)
    bands = [
        next(row for row in record_text(scenes, score).splitlines() if "0% " in row)
        for score in (SOME, SHOWN, replace(SOME, low=0.5, high=0.9, at_most=0.99))
    ]
    assert len(set(bands)) == 3
    for band in bands:
        assert "╎" in band
        assert len({*band.translate(ASCII)} - {*" 0%1"}) >= 2, "it is read in ASCII too"


@pytest.mark.parametrize("width", [*WIDTHS, 20, 8])
def test_hostile_words_stay_words_at_every_width(scenes: Any, width: int) -> None:
    bad = dict.fromkeys(("title", "risk", "undo", "default", "changes", "record", "terms"), HOSTILE)
    item = replace(CHANGED, **bad, changed=(HOSTILE,), who=(HOSTILE,), lines=(HOSTILE,),
                   risk_reasons=(HOSTILE,), barred={"ana": HOSTILE})  # fmt: skip
    rule = replace(RULE, why=HOSTILE, fired=HOSTILE, who=HOSTILE, to_change=(HOSTILE,))
    policy = replace(POLICY, level=HOSTILE, rules=(rule,), bars=(BarDoc(HOSTILE, HOSTILE),))
    score = replace(SOME, brain=HOSTILE, environment=HOSTILE, strip=HOSTILE)
    told = {"policy/shop": policy, "record/": RecordDoc(NOW, (score,))}
    for page in ("item", "policy", "record", "first"):
        view = view_of(scenes, item, page=page, told=told)
        text = text_of(paint(view, width + 4, 40))
        assert not any(ord(c) < 32 and c != "\n" for c in text)
        assert "\u202e" not in text


@pytest.mark.parametrize(
    "why", ["policy", "as started", "given back", "drill overdue", "breaker open"]
)
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_row_one_says_that_the_agent_only_recommends_and_why(
    scenes: Any, why: str, size: tuple[int, int]
) -> None:
    for page in ("first", "policy"):
        view = view_of(scenes, page=page, level=f"recommends only: {why}")
        first = text_of(paint(view, *size)).splitlines()[0]
        assert f"AGENT   recommends only: {why}" in first
        assert "DATA LIVE" in first
