"""Going back is safe only when it is known to be; S01, S03, S04, S05 and F26 of the catalogue."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatchway.core import undo as u
from hatchway.core.manifest import (
    ALL,
    Config,
    DeclaredMigration,
    Dependent,
    Manifest,
    Schema,
    Unreadable,
)
from hatchway.core.migrations import Migration
from hatchway.core.migrations.found import Seen

ADDS = Migration("0119", "migrations/0119.sql", "sql", "adds", (), "no")
BREAKS = Migration("0120", "migrations/0120.sql", "sql", "breaks", (Seen("breaks", "drops a.b"),))
UNCLEAR = Migration("0121", "migrations/0121.sql", "sql", "unclear", (Seen("unclear", "runs"),))
WELL = u.Moment(target_healthy=True, automatic_rollbacks=0, target_quarantined="", target="1.4.0")


def reads(low: int, high: int, at: int = 118) -> Manifest:
    return Manifest(schema=Schema(at, low, high))


def release(*migrations: Migration, **more: Any) -> u.Release:
    given = {"migrations": migrations, "files": tuple(m.path for m in migrations), **more}
    return u.Release(**given)


def test_without_migrations_and_declarations_going_back_is_safe_and_leaves_nothing() -> None:
    said = u.undo_of(release(files=("src/a.py",)))
    assert (said.safe, said.residue) == ("yes", ())
    assert said.words == "safe: no migration in this release"
    assert u.at_this_moment(said, WELL).safe == "yes"


# --- S04: schema ------------------------------------------------------------------------------


def test_s04_a_schema_that_the_old_version_does_not_read_makes_it_unsafe() -> None:
    said = u.undo_of(release(ADDS, old=reads(110, 118), new=reads(110, 119, at=119)))
    assert said.safe == "no"
    assert said.words == "not safe: the old version reads schema 110 to 118, and it will be 119"


def test_s04_a_schema_that_it_reads_is_safe_and_the_migration_stays() -> None:
    said = u.undo_of(release(ADDS, old=reads(110, 119), new=reads(110, 119, at=119)))
    assert said.safe == "yes"
    assert said.residue == ("migration 0119 stays applied and has no way back",)


@pytest.mark.parametrize(
    ("old", "new"),
    [(None, None), (None, reads(1, 200, at=119)), (reads(1, 200), None), (Manifest(), Manifest())],
)
def test_s04_a_missing_declaration_counts_as_incompatible(old: Any, new: Any) -> None:
    said = u.undo_of(release(ADDS, old=old, new=new))
    assert said.safe == "unknown"
    assert any("counts as" in r.text for r in said.against)


def test_a_schema_that_changes_without_a_migration_is_asked_about_too() -> None:
    said = u.undo_of(release(old=reads(110, 118), new=reads(110, 119, at=119)))
    assert said.safe == "no"


def test_a_migration_that_leaves_the_declared_schema_as_it_was_is_not_believed() -> None:
    assert u.undo_of(release(ADDS, old=reads(110, 118), new=reads(110, 118))).safe == "unknown"


# --- never believes less than it sees -----------------------------------------------------------


def declared(phase: Any, path: str = BREAKS.path, **more: Any) -> Manifest:
    migrations = (DeclaredMigration(path, phase, **more),)
    return msgspec.structs.replace(reads(110, 130, at=120), migrations=migrations)


def test_a_declared_expand_does_not_overrule_what_is_seen_to_break() -> None:
    said = u.undo_of(release(BREAKS, old=reads(110, 130), new=declared("expand")))
    assert said.safe == "no"
    assert said.words == "not safe: migration 0120 drops a.b, although it is declared as expand"


def test_a_declared_contract_is_believed_although_it_seems_to_add() -> None:
    new = declared("contract", ADDS.path)
    assert u.undo_of(release(ADDS, old=reads(110, 130), new=new)).safe == "no"


def test_a_declared_one_way_migration_is_no_yes() -> None:
    new = declared("expand", ADDS.path, reversible=False)
    assert u.undo_of(release(ADDS, old=reads(110, 130), new=new)).safe == "unknown"


def test_what_cannot_be_told_stays_unknown_whatever_is_declared() -> None:
    new = declared("expand", UNCLEAR.path)
    assert u.undo_of(release(UNCLEAR, old=reads(110, 130), new=new)).safe == "unknown"


def test_a_declared_migration_of_this_release_that_is_not_found_is_no_yes() -> None:
    for phase, safe in (("expand", "unknown"), ("contract", "no")):
        new = declared(phase, "db/odd.xml")
        same = msgspec.structs.replace(new, schema=None)
        assert u.undo_of(release(files=("db/odd.xml",), new=same)).safe == safe
        assert u.undo_of(release(files=("src/a.py",), new=same)).safe == "yes", "an old one"


def test_files_that_could_not_be_read_or_a_broken_declaration_are_never_a_yes() -> None:
    assert u.undo_of(u.Release()).safe == "unknown"
    said = u.undo_of(release(new=Unreadable(".hatchway.yaml:3: unknown key")))
    assert said.safe == "unknown"
    assert ".hatchway.yaml:3" in said.words


# --- S03: configuration ---------------------------------------------------------------------------


def config(at: str = "", *runs_with: str, shared: tuple[str, ...] = ()) -> Manifest:
    return Manifest(config=Config(at, runs_with, shared))


@pytest.mark.parametrize(
    ("old", "new", "files", "safe"),
    [
        (config("c1", "c1"), config("c2", "c1", "c2"), (), "no"),
        (config("c1", "c1", "c2"), config("c2", "c1", "c2"), (), "yes"),
        (config("c1"), config("c1"), (), "yes"),
        (None, config("c2"), (), "unknown"),
        (config("c1"), None, (), "unknown"),
        (None, config(shared=("config/*",)), ("config/flags.yaml",), "no"),
        (config("c1", shared=("config/*",)), config("c1"), ("config/flags.yaml",), "no"),
        (None, config(shared=("config/*",)), ("src/a.py",), "yes"),
    ],
)
def test_s03_a_version_that_never_ran_with_this_configuration_is_not_gone_back_to(
    old: Any, new: Any, files: tuple[str, ...], safe: str
) -> None:
    said = u.undo_of(release(old=old, new=new, files=files))
    assert said.safe == safe, said


# --- dependents -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "safe"), [(("v1", "v2"), "yes"), (("v1",), "no"), ((), "no"), (None, "unknown")]
)
def test_a_dependent_that_uses_what_only_the_new_version_offers_is_named(
    offered: Any, safe: str
) -> None:
    new = Manifest(contracts=("v1", "v2"), dependents=(Dependent("billing", "v2"),))
    said = u.undo_of(release(old=Manifest(contracts=offered), new=new))
    assert said.safe == safe
    assert any("billing uses v2" in r.text for r in said.reasons)


# --- this moment ------------------------------------------------------------------------------------

SAFE = u.undo_of(release(files=()))


@pytest.mark.parametrize(
    ("more", "safe", "words"),
    [
        ({"target_healthy": False}, "no", "is not healthy"),  # F26
        ({"target_healthy": None}, "unknown", "not known"),
        ({"automatic_rollbacks": 1}, "no", "once already"),  # S05, S07
        ({"automatic_rollbacks": 3, "budget": 3}, "no", "3 times"),
        ({"automatic_rollbacks": None}, "unknown", "not known"),
        ({"target_quarantined": "rolled back by ana in run 3"}, "no", "run 3"),
        ({"target_quarantined": None}, "unknown", "not known"),
    ],
)
def test_how_things_stand_may_speak_against_it(more: Any, safe: str, words: str) -> None:
    said = u.at_this_moment(SAFE, msgspec.structs.replace(WELL, **more))
    assert said.safe == safe
    assert words in said.words


def test_the_better_of_two_will_do_where_its_health_is_not_known_but_never_an_unhealthy_one() -> (
    None
):
    """A canary that hangs takes its half of a comparison with it."""
    for healthy, safe in ((None, "yes"), (False, "no"), (True, "yes")):
        moment = msgspec.structs.replace(WELL, target_healthy=healthy, target_better=True)
        assert u.at_this_moment(SAFE, moment).safe == safe


def test_s01_knight_2012_an_instance_that_runs_something_else_is_named() -> None:
    fleet = (*(u.Instance(f"i{n}", "1.4.0") for n in range(7)), u.Instance("i7", "1.3.9"))
    said = u.at_this_moment(SAFE, msgspec.structs.replace(WELL, fleet=fleet))
    assert said.safe == "no"
    assert said.words == "not safe: 1 of 8 instances do not run 1.4.0: i7 runs 1.3.9"
    silent = (*fleet[:7], u.Instance("i7"))
    assert u.at_this_moment(SAFE, msgspec.structs.replace(WELL, fleet=silent)).safe == "unknown"
    assert u.at_this_moment(SAFE, msgspec.structs.replace(WELL, fleet=fleet[:7])).safe == "yes"


def test_what_was_never_computed_is_unknown_now() -> None:
    assert u.at_this_moment(None, WELL).safe == "unknown"


# --- properties -------------------------------------------------------------------------------------

ORDER = {"no": 0, "unknown": 1, "yes": 2}
manifests = st.one_of(
    st.none(),
    st.just(Unreadable("x")),
    st.builds(
        Manifest,
        schema=st.none() | st.builds(Schema, *[st.integers(115, 122)] * 3),
        migrations=st.lists(
            st.builds(
                DeclaredMigration,
                st.sampled_from([ADDS.path, BREAKS.path, UNCLEAR.path, "odd"]),
                st.sampled_from(["expand", "contract"]),
                st.booleans(),
            ),
            max_size=3,
        ).map(tuple),
        config=st.none()
        | st.builds(
            Config,
            st.sampled_from(["", "c1", "c2"]),
            st.lists(st.sampled_from(["c1", "c2"]), max_size=2).map(tuple),
            st.sampled_from([(), ("config/*",)]),
        ),
        contracts=st.none() | st.just(("v1",)) | st.just(("v1", "v2")),
        dependents=st.lists(
            st.builds(Dependent, st.just("billing"), st.sampled_from(["v1", "v2"])), max_size=2
        ).map(tuple),
    ),
)
migration_sets = st.lists(st.sampled_from([ADDS, BREAKS, UNCLEAR]), max_size=3, unique=True)
releases = st.builds(
    u.Release,
    migrations=st.none() | migration_sets.map(tuple),
    files=st.none()
    | st.lists(st.sampled_from(["src/a", "config/f", "odd"]), max_size=3).map(tuple),
    old=manifests,
    new=manifests,
)
moments = st.builds(
    u.Moment,
    target_healthy=st.none() | st.booleans(),
    automatic_rollbacks=st.none() | st.integers(0, 3),
    budget=st.integers(1, 3),
    target_quarantined=st.none() | st.sampled_from(["", "run 3"]),
    target=st.just("1.4.0"),
    fleet=st.lists(
        st.builds(u.Instance, st.just("i"), st.sampled_from(["", "1.4.0", "1.3"])), max_size=3
    ).map(tuple),
)


@given(releases)
def test_the_answer_is_its_reasons(given_release: u.Release) -> None:
    said = u.undo_of(given_release)
    assert said.reasons
    assert (said.safe == "no") == any(r.sign == "-" for r in said.reasons)
    assert (said.safe == "yes") == all(r.sign == "+" for r in said.reasons)
    assert said.words


@given(releases, moments)
def test_the_moment_never_makes_it_safer(given_release: u.Release, moment: u.Moment) -> None:
    before = u.undo_of(given_release)
    assert ORDER[u.at_this_moment(before, moment).safe] <= ORDER[before.safe]


@given(releases, st.sampled_from([BREAKS, UNCLEAR]))
def test_seeing_one_more_bad_migration_never_makes_it_safer(
    given_release: u.Release, more: Migration
) -> None:
    if given_release.migrations is None:
        return
    worse = msgspec.structs.replace(given_release, migrations=(*given_release.migrations, more))
    said, before = u.undo_of(worse).safe, u.undo_of(given_release).safe
    assert said != "yes"
    assert ORDER[said] <= ORDER[before]


@given(releases, manifests, manifests)
def test_no_declaration_makes_a_seen_break_safe(
    given_release: u.Release, old: Any, new: Any
) -> None:
    broken = msgspec.structs.replace(given_release, migrations=(BREAKS,), old=old, new=new)
    assert u.undo_of(broken).safe == "no"


@given(releases)
def test_a_release_whose_files_cannot_be_read_is_never_a_yes(given_release: u.Release) -> None:
    assert u.undo_of(msgspec.structs.replace(given_release, migrations=None)).safe != "yes"


@given(releases, st.sampled_from(["old", "new"]))
def test_a_declaration_that_cannot_be_read_is_never_a_yes(
    given_release: u.Release, whose: str
) -> None:
    worse = msgspec.structs.replace(given_release, **{whose: Unreadable("x")})
    assert u.undo_of(worse).safe != "yes"


@given(moments, st.sampled_from(["target_healthy", "automatic_rollbacks", "target_quarantined"]))
def test_an_unknown_fact_of_the_moment_is_never_a_yes(moment: u.Moment, gone: str) -> None:
    assert u.at_this_moment(SAFE, msgspec.structs.replace(moment, **{gone: None})).safe != "yes"


@given(releases, moments)
def test_it_survives_the_journal(given_release: u.Release, moment: u.Moment) -> None:
    said = u.at_this_moment(u.undo_of(given_release), moment)
    assert msgspec.json.decode(msgspec.json.encode(said), type=u.Undo) == said


@pytest.mark.parametrize(
    ("shared", "files", "safe"),
    [
        ((), ("infra/net.tf",), "yes"),
        (("infra/**",), ("infra/net.tf", "a.py"), "no"),
        (("infra",), ("infra/a/net.tf",), "no"),
        (("infra/**",), ("a.py", "infrared.py"), "yes"),
        (ALL, ("a.py",), "no"),
        (ALL, (), "yes"),
        (("infra/**",), None, "unknown"),
    ],
)
@pytest.mark.parametrize("side", ["old", "new"])
def test_a_change_of_shared_infrastructure_is_not_undone_by_moving_traffic(
    shared: tuple[str, ...], files: tuple[str, ...] | None, safe: str, side: str
) -> None:
    declared: Any = {side: Manifest(shared=shared)}
    undo = u.undo_of(u.Release(migrations=(), files=files, **declared))
    assert undo.safe == safe
    if safe == "no":
        assert "shared infrastructure" in undo.words
