"""Mistakes in calendars.yaml and in what the policy says of calendars, people and places."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatchway.core.policy import Approvals, InWindow, RegressedIn, WeightAtMost
from hatchway.core.schedules import Cron, Dates, Feed, OnCall, Rotation, Weekly
from hatchway.settings import ConfigError, load_policy, shipped
from hatchway.settings.calendars import schedules_of
from hatchway.settings.document import Page
from hatchway.settings.load import Rules, check_file, load_all, load_rules

GOOD = """\
windows:
  office-hours: {cron: "0 9 * * 1-5", for: 8h, zone: Europe/Madrid}
freezes:
  weekend: {weekly: fri 14:00 to mon 06:00, zone: Europe/Madrid}
  year-end: {from: 2026-12-19 00:00, to: 2027-01-07 06:00, zone: Europe/Madrid}
  company: {ics: company.ics, zone: Europe/Madrid, max_age: 2d}
  group: {url: https://calendars.example/f.ics, zone: UTC}
oncall: {people: [ana, ben], zone: Europe/Madrid, start: 2026-01-05 09:00, every: 7d}
"""
POLICY = """\
version: 1
agent_deploys_to: [prod]
environments:
  prod:
    mode: act
    freezes: [weekend, company]
    freeze_override: 2
    approvals: {MEDIUM: 1, HIGH: 2}
    capabilities:
      promote:
        answer: auto
        when:
          verdict: [PASS]
          window: office-hours
          weight_at_most: 25
        approvals: {people: 2, roles: [operator, approver]}
      rollback:
        answer: auto
        when:
          verdict: [REGRESS]
          regressed_in: [errors, latency]
"""


@pytest.fixture
def rules_dir(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "calendars.yaml").write_text(GOOD)
    return tmp_path


def test_every_way_to_say_when_is_read(rules_dir: Path) -> None:
    schedules = load_rules(rules_dir).schedules
    says = {name: s.says for name, s in schedules.schedules.items()}
    assert says == {
        "office-hours": Cron("0 9 * * 1-5", 28_800.0, "Europe/Madrid"),
        "weekend": Weekly(4, 50_400, 0, 21_600, "Europe/Madrid"),
        "year-end": Dates("2026-12-19T00:00", "2027-01-07T06:00", "Europe/Madrid"),
        "company": Feed("company.ics", "Europe/Madrid", 172_800.0),
        "group": Feed("https://calendars.example/f.ics", "UTC", 86_400.0),
    }
    assert schedules.on_call == OnCall(
        "calendars.yaml:8",
        ("ana", "ben"),
        Rotation(("ana", "ben"), "2026-01-05T09:00", 7, "Europe/Madrid"),
    )
    assert schedules.schedules["weekend"].source == "calendars.yaml:4"


def test_what_a_policy_says_of_calendars_people_and_places_is_read(rules_dir: Path) -> None:
    policy = load_rules(rules_dir).policy
    prod = policy.environments["prod"]
    assert policy.agent_deploys_to == ("prod",)
    assert (prod.freezes, prod.freeze_override) == (("weekend", "company"), 2)
    assert prod.approvals == {"MEDIUM": 1, "HIGH": 2}
    promote = prod.capabilities["promote"]
    assert InWindow(("office-hours",)) in promote.when
    assert WeightAtMost(25) in promote.when
    assert promote.approvals == Approvals(2, ("operator", "approver"))
    assert RegressedIn(("errors", "latency")) in prod.capabilities["rollback"].when


WRONG = [
    ('cron: "0 9 * * 1-5"', 'cron: "0 9 * *"', 2, "not a cron line of five fields"),
    ('cron: "0 9 * * 1-5"', 'cron: "0 25 * * *"', 2, "Bad hour"),
    ('cron: "0 9 * * 1-5"', 'cron: "0 0 31 2 *"', 2, "cron line"),
    ("for: 8h", "for: 8", 2, "has no unit"),
    ("for: 8h, ", "", 2, '"for" is missing'),
    ("8h, zone: Europe/Madrid", "8h, zone: Europe/Madird", 2, 'did you mean "Europe/Madrid"'),
    ("8h, zone: Europe/Madrid", "8h, zone: ../../etc/passwd", 2, "is no time zone"),
    ("8h, zone: Europe/Madrid", "8h, zone: Europe", 2, "is no time zone"),
    ("8h, zone: Europe/Madrid", "8h", 2, '"zone" is missing'),
    ("fri 14:00 to mon 06:00", "friday 14:00 to mon 06:00", 4, "not a day and time"),
    ("fri 14:00 to mon 06:00", "fri 24:00 to mon 06:00", 4, "hours go from 00 to 23"),
    ("fri 14:00 to mon 06:00", "fri 14:00 to fri 14:00", 4, "begins when it ends"),
    ("weekly: fri 14:00 to mon 06:00, ", "", 4, "says in no way when it is"),
    ("weekly: fri", 'cron: "0 9 * * 1", weekly: fri', 4, "says it in two ways"),
    ("2026-12-19 00:00", "2026-02-30 00:00", 5, "is not in any calendar"),
    ("2026-12-19 00:00", "tomorrow", 5, "is not a date and time"),
    ("2027-01-07 06:00", "2026-01-07 06:00", 5, "it ends before it begins"),
    ("to: 2027-01-07 06:00", "for: 3d", 5, '"for" goes with cron'),
    ("company.ics", "../company.ics", 6, "no .ics file below this directory"),
    ("company.ics", "/etc/passwd", 6, "no .ics file below this directory"),
    ("max_age: 2d", "max_age: 2", 6, "has no unit"),
    ("https://calendars", "http://calendars", 7, "neither https nor on this machine"),
    ("https://calendars", "file://calendars", 7, "neither https nor on this machine"),
    ("people: [ana, ben]", "people: []", 8, "nobody is listed"),
    ("every: 7d", "every: 36h", 8, "hand over at the same time of day"),
    (", start: 2026-01-05 09:00, every: 7d", "", 8, "says in no way who it is when"),
    ("year-end", "office-hours", 5, "the name of a window and of a freeze"),
    ("windows:", "window:", 1, 'did you mean "windows"'),
    ("  weekend: {weekly", "  weekend: {weekyl", 4, "unknown key"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), WRONG)
def test_a_mistake_in_the_calendars_is_told_with_its_line(
    rules_dir: Path, old: str, new: str, line: int, words: str
) -> None:
    assert GOOD.count(old) == 1 or "zone" in old, old
    (rules_dir / "calendars.yaml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load_rules(rules_dir)
    told = [(t.line, f"{t.what} / {t.write}") for t in caught.value.troubles]
    assert any(at == line and words in said for at, said in told), told
    assert all(t.write for t in caught.value.troubles if t.line == line)


WRONG_POLICY = [
    ("[weekend, company]", "[weekend, compnay]", 6, 'no freeze "compnay"; did you mean "company"'),
    ("[weekend, company]", "[office-hours]", 6, "calendars.yaml has no freeze"),
    ("window: office-hours", "window: [office-hours, weekend]", 14, "has no window"),
    ("window: office-hours", "window: []", 14, "names nothing"),
    ("freeze_override: 2", "freeze_override: -1", 7, "is not between 0 and 10"),
    ("    freezes: [weekend, company]\n", "", 6, '"freeze_override" without freezes'),
    ("{MEDIUM: 1, HIGH: 2}", "{MEDIUM: 3, HIGH: 2}", 8, "a higher risk takes fewer people"),
    ("{MEDIUM: 1, HIGH: 2}", "{SEVERE: 2}", 8, "unknown key"),
    ("agent_deploys_to: [prod]", "agent_deploys_to: [staging]", 2, "unknown word"),
    ("weight_at_most: 25", "weight_at_most: 250", 15, "is not between 1 and 100"),
    ("people: 2", "people: 1", 16, "2 roles need as many people"),
    ("[operator, approver]", "[operator, boss]", 16, "unknown word"),
    ("[errors, latency]", "errors rate", 21, "cannot be a name"),
]


@pytest.mark.parametrize(("old", "new", "line", "words"), WRONG_POLICY)
def test_a_mistake_in_the_policy_about_calendars_and_people_is_told_with_its_line(
    rules_dir: Path, old: str, new: str, line: int, words: str
) -> None:
    assert POLICY.count(old) == 1, old
    (rules_dir / "policy.yaml").write_text(POLICY.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_rules(rules_dir)
    told = [(t.line, f"{t.what} / {t.write}") for t in caught.value.troubles]
    assert any(at == line and words in said for at, said in told), told


def test_calendars_that_a_policy_names_have_to_be_there(rules_dir: Path) -> None:
    (rules_dir / "calendars.yaml").unlink()
    with pytest.raises(ConfigError, match="has no freeze"):
        load_rules(rules_dir)


def test_a_directory_is_read_with_its_calendars(home: Path) -> None:
    (home / "calendars.yaml").write_text(GOOD)
    assert load_all(home).schedules.names("window") == ("office-hours",)
    assert check_file(home / "calendars.yaml") == ()


def test_without_calendars_there_are_none() -> None:
    assert load_all(shipped()).schedules.schedules == {}


# --- fuzz: the loader of the policy and of the calendars -------------------------------------------

WORDS = st.sampled_from(
    [
        "version",
        "environments",
        "prod",
        "mode",
        "act",
        "recommend",
        "capabilities",
        "promote",
        "rollback",
        "answer",
        "auto",
        "ask",
        "deny",
        "when",
        "verdict",
        "PASS",
        "REGRESS",
        "window",
        "freezes",
        "freeze_override",
        "approvals",
        "people",
        "roles",
        "HIGH",
        "windows",
        "cron",
        "weekly",
        "from",
        "to",
        "ics",
        "url",
        "zone",
        "max_age",
        "for",
        "oncall",
        "start",
        "every",
        "Europe/Madrid",
        "8h",
        "1",
        "2",
        "regressed_in",
        "weight_at_most",
        "agent_deploys_to",
        "fri",
        "14:00",
        "null",
        "~",
        "true",
    ]
)
LEAVES = st.one_of(WORDS, st.text(max_size=12), st.integers(-5, 10**20).map(str))


def rendered(tree: object) -> str:
    match tree:
        case dict():
            return "{" + ", ".join(f"{rendered(k)}: {rendered(v)}" for k, v in tree.items()) + "}"
        case list():
            return "[" + ", ".join(map(rendered, tree)) + "]"
        case _:
            return '"' + str(tree).replace("\\", "\\\\").replace('"', '\\"') + '"'


TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=5)),
    max_leaves=25,
)


def test_no_file_crashes_the_loaders_of_policy_and_calendars(tmp_path: Path, bar: object) -> None:
    """Words of the vocabulary in any shape, and the right files damaged: read, or refused in words."""
    seen, refused = [0], [0]
    path = tmp_path / "policy.yaml"

    def load(data: bytes) -> None:
        seen[0] += 1
        path.write_bytes(data)
        try:
            load_policy(path)
        except ConfigError as error:
            refused[0] += 1
            for trouble in error.troubles:
                assert trouble.what
                assert trouble.what.isprintable()
                assert trouble.write.isprintable()
        page = Page("calendars.yaml", data)
        schedules_of(page)
        assert all(t.what.isprintable() and t.write.isprintable() for t in page.troubles)

    @settings(max_examples=700, deadline=None, suppress_health_check=list(HealthCheck))
    @given(TREES)
    def any_shape(tree: object) -> None:
        load(rendered(tree).encode("utf-8", "replace"))

    @settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from([POLICY.encode(), GOOD.encode()]),
        st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.binary(max_size=6)), max_size=4),
    )
    def damaged(data: bytes, damage: list[tuple[float, int, bytes]]) -> None:
        for where, drop, put in damage:
            at = int(where * len(data))
            data = data[:at] + put + data[at + drop :]
        load(data)

    any_shape()
    damaged()
    bar("fuzz: policy and calendar loaders", f"{seen[0]:,} files, 0 crashes", "0 crashes")  # type: ignore[operator]
    assert refused[0] > 500, "most of it is nonsense"


def test_rules_are_values() -> None:
    assert load_rules(shipped()) == load_rules(shipped())
    assert isinstance(load_rules(shipped()), Rules)
