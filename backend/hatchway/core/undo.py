"""Is it safe to go back? Answered before it is offered, and three-valued: yes, no, unknown.

Going back moves the traffic to the old version and nothing else: the database, the configuration
and the other services stay as the new version left them. So each rule asks whether the old version
can live with one of these. For the agent only a yes counts. A person may always go back, and is
told what speaks against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

from hatchway.core.manifest import ALL, Declared, Manifest, Unreadable
from hatchway.core.migrations import Migration

Safe = Literal["yes", "no", "unknown"]


class Reason(Struct, frozen=True):
    """What one rule found. `sign`: + safe, - not safe, ? not known, which never counts as safe."""

    sign: Literal["+", "-", "?"]
    rule: str
    text: str


class Undo(Struct, frozen=True):
    """The answer, what it stands on, and what stays as it is after going back."""

    safe: Safe
    reasons: tuple[Reason, ...] = ()
    residue: tuple[str, ...] = ()

    @property
    def against(self) -> tuple[Reason, ...]:
        """What keeps it from being a yes, the certain first."""
        return tuple(
            sorted((r for r in self.reasons if r.sign != "+"), key=lambda r: r.sign != "-")
        )

    @property
    def words(self) -> str:
        """The answer in a line: "not safe: migration 0042 drops the column orders.note"."""
        word = {"yes": "safe", "no": "not safe", "unknown": "not known to be safe"}[self.safe]
        told = self.against or self.reasons
        more = f" (and {len(told) - 1} more)" if len(told) > 1 and self.safe != "yes" else ""
        return f"{word}: {told[0].text}{more}" if told else word


class Release(Struct, frozen=True, kw_only=True):
    """What ships, as far as the repository tells.

    `migrations` and `files` (the paths that differ) are None while they could not be read.
    """

    migrations: tuple[Migration, ...] | None = None
    files: tuple[str, ...] | None = None
    old: Declared = None
    new: Declared = None


class Instance(Struct, frozen=True):
    """One instance of the stable arm and the version that it says it runs; empty: it does not."""

    name: str
    version: str = ""


class Moment(Struct, frozen=True, kw_only=True):
    """How things stand now. None: nobody knows. `fleet` is empty where instances do not attest."""

    target_healthy: bool | None = None
    automatic_rollbacks: int | None = None  # in the service's window, without this one
    budget: int = 1
    target_quarantined: str | None = None  # why; empty: it is not
    target: str = ""  # the version to go back to
    fleet: tuple[Instance, ...] = ()
    target_better: bool = False  # measured side by side, the new version is the worse one


def undo_of(release: Release) -> Undo:
    """Whether the old version can live with what this release leaves behind."""
    reasons = (
        *manifests_are_readable(release),
        *migrations_do_not_break(release),
        *schema_is_readable(release),
        *config_ran_before(release),
        *dependents_do_without(release),
        *infrastructure_is_its_own(release),
    )
    return Undo(_safe(reasons), reasons, tuple(_residue(release)))


def at_this_moment(undo: Undo | None, moment: Moment) -> Undo:
    """The release's answer and what speaks against going back right now. None: not computed."""
    if undo is None:
        undo = Undo("unknown", (Reason("?", "release", "what the release brings was not read"),))
    reasons = (
        *undo.reasons,
        *target_is_healthy(moment),
        *target_is_not_quarantined(moment),
        *budget_is_left(moment),
        *fleet_is_uniform(moment),
    )
    safe = _safe(reasons) if undo.safe == "yes" else _worse(undo.safe, _safe(reasons))
    return Undo(safe, reasons, undo.residue)


def _safe(reasons: Iterable[Reason]) -> Safe:
    signs = {reason.sign for reason in reasons}
    if "-" in signs:
        return "no"
    return "yes" if signs == {"+"} else "unknown"


def _worse(one: Safe, other: Safe) -> Safe:
    return "no" if "no" in (one, other) else "unknown"


# --- what the release brings --------------------------------------------------------------------


def manifests_are_readable(release: Release) -> Iterator[Reason]:
    """A file that is there and cannot be read may declare anything."""
    for whose, declared in (("old", release.old), ("new", release.new)):
        if isinstance(declared, Unreadable):
            text = f"the {whose} version's declaration cannot be read: {declared.why}"
            yield Reason("?", "manifest", text)


def migrations_do_not_break(release: Release) -> Iterator[Reason]:
    """Each migration adds only. Never believes less than it sees: what breaks, breaks, whatever is
    declared; what is declared to break does, whatever is seen.
    """
    if release.migrations is None:
        yield Reason("?", "migrations", "the files of this release could not be read")
        return
    declared = _manifest(release.new).migrations
    seen = {migration.path for migration in release.migrations}
    for migration in release.migrations:
        said = next((d for d in declared if d.file == migration.path), None)
        if migration.effect == "breaks":
            but = ", although it is declared as expand" if said and said.phase == "expand" else ""
            worst = migration.seen[0].text if migration.seen else "breaks the old version"
            yield Reason("-", "migrations", f"migration {migration.name} {worst}{but}")
        elif said is not None and said.phase == "contract":
            yield Reason("-", "migrations", f"migration {migration.name} is declared as contract")
        elif migration.effect == "unclear":
            why = migration.seen[0].text if migration.seen else "does what cannot be told"
            yield Reason("?", "migrations", f"migration {migration.name} {why}")
        elif said is not None and not said.reversible:
            text = f"migration {migration.name} is declared as one-way"
            yield Reason("?", "migrations", text)
        else:
            yield Reason("+", "migrations", f"migration {migration.name} only adds")
    brought = [d for d in declared if release.files is None or d.file in release.files]
    for each in brought:
        if each.file in seen:
            continue
        if each.phase == "contract":
            yield Reason("-", "migrations", f"{each.file} is declared as contract")
        else:
            text = f"{each.file} is declared as a migration, and is none that can be read"
            yield Reason("?", "migrations", text)
    if not release.migrations and not brought:
        yield Reason("+", "migrations", "no migration in this release")


def schema_is_readable(release: Release) -> Iterator[Reason]:
    """The old version declares that it works with the new schema. Silence counts as if it did not.

    Nothing is asked where the schema does not change.
    """
    old, new = _manifest(release.old).schema, _manifest(release.new).schema
    changes = bool(release.migrations) or (new is not None and (old is None or old.at != new.at))
    if release.migrations is None or not changes:
        return
    if new is None:
        text = "the new version does not declare its schema: counts as not readable by the old one"
        yield Reason("?", "schema", text)
    elif old is None:
        text = f"the old version does not declare which schema it reads: {new.at} counts as too new"
        yield Reason("?", "schema", text)
    elif not old.reads_from <= new.at <= old.reads_to:
        span = f"{old.reads_from} to {old.reads_to}"
        yield Reason("-", "schema", f"the old version reads schema {span}, and it will be {new.at}")
    elif release.migrations and new.at == old.at:
        text = f"it brings migrations, and declares the schema to be {new.at} as before"
        yield Reason("?", "schema", text)
    else:
        yield Reason("+", "schema", f"the old version reads schema {new.at}")


def config_ran_before(release: Release) -> Iterator[Reason]:
    """The old version ran with the configuration that it will meet."""
    old, new = _manifest(release.old).config, _manifest(release.new).config
    at_old, at_new = (old.at if old else ""), (new.at if new else "")
    ran = set(old.runs_with if old else ()) | ({at_old} - {""})
    shared = {*(old.shared if old else ()), *(new.shared if new else ())}
    moved = [f for f in release.files or () if any(fnmatchcase(f, p) for p in shared)]
    if shared and release.files is None:
        yield Reason("?", "config", "whether shared configuration changes could not be read")
    if moved and (not at_new or at_new == at_old):
        text = f"{moved[0]} is read by both versions: the old one never ran with what it is now"
        yield Reason("-", "config", text)
    elif at_new and not ran:
        text = f"with which configuration the old version ran is not declared; now it is {at_new}"
        yield Reason("?", "config", text)
    elif at_new and at_new not in ran:
        yield Reason("-", "config", f"the old version and the configuration {at_new} never ran "
                     "together")  # fmt: skip
    elif at_new:
        yield Reason("+", "config", f"the old version ran with the configuration {at_new}")
    elif at_old:
        text = f"the old version ran with {at_old}; the new one does not declare a configuration"
        yield Reason("?", "config", text)


def dependents_do_without(release: Release) -> Iterator[Reason]:
    """No other service uses what only the new version offers."""
    offered = _manifest(release.old).contracts
    for dependent in _manifest(release.new).dependents:
        if offered is None:
            text = f"{dependent.name} uses {dependent.uses}; what the old version offers is not declared"
            yield Reason("?", "dependents", text)
        elif dependent.uses in offered:
            text = f"{dependent.name} uses {dependent.uses}, which the old version offers"
            yield Reason("+", "dependents", text)
        else:
            text = f"{dependent.name} uses {dependent.uses}, which the old version does not offer"
            yield Reason("-", "dependents", text)


def infrastructure_is_its_own(release: Release) -> Iterator[Reason]:
    """It changes nothing that other services stand on: moving traffic back undoes none of that.

    What either version declares to be shared is.
    """
    shared = {*_manifest(release.old).shared, *_manifest(release.new).shared}
    if not shared:
        return
    if release.files is None:
        yield Reason("?", "shared", "whether shared infrastructure changes could not be read")
        return
    moved = [f for f in release.files if any(_under(f, pattern) for pattern in shared)]
    if moved:
        more = f" and {len(moved) - 1} more" if len(moved) > 1 else ""
        text = f"{moved[0]}{more} is shared infrastructure, which going back leaves changed"
        yield Reason("-", "shared", text)
    else:
        yield Reason("+", "shared", "no shared infrastructure changes")


def _under(file: str, pattern: str) -> bool:
    """Whether a path is meant: by the pattern, or in the folder that it names."""
    return (
        pattern in ALL or fnmatchcase(file, pattern) or file.startswith(f"{pattern.rstrip('/')}/")
    )


def _manifest(declared: Declared) -> Manifest:
    return declared if isinstance(declared, Manifest) else Manifest()


def _residue(release: Release) -> Iterator[str]:
    """What stays after going back."""
    for migration in release.migrations or ():
        back = " and has no way back" if migration.back == "no" else ""
        yield f"migration {migration.name} stays applied{back}"
    new = _manifest(release.new)
    if new.config is not None and new.config.at:
        yield f"the configuration stays {new.config.at}"


# --- how things stand ---------------------------------------------------------------------------


def target_is_healthy(moment: Moment) -> Iterator[Reason]:
    """The version to go back to is not worse off itself.

    Where its health is not known, to be the better of two that take traffic now is enough: a new
    version that hangs takes its half of a comparison with it.
    """
    if moment.target_healthy is None and moment.target_better:
        yield Reason("+", "target", "the old version is the better of the two")
    elif moment.target_healthy is None:
        yield Reason("?", "target", "whether the old version is healthy is not known")
    elif moment.target_healthy:
        yield Reason("+", "target", "the old version is healthy")
    else:
        yield Reason("-", "target", "the old version itself is not healthy")


def target_is_not_quarantined(moment: Moment) -> Iterator[Reason]:
    """The version to go back to was not itself rolled back."""
    if moment.target_quarantined is None:
        yield Reason("?", "quarantine", "whether the old version was rolled back is not known")
    elif moment.target_quarantined:
        yield Reason("-", "quarantine", f"the old version: {moment.target_quarantined}")


def budget_is_left(moment: Moment) -> Iterator[Reason]:
    """Going back again and again is a loop. What did not help once does not help twice."""
    done = moment.automatic_rollbacks
    if done is None:
        yield Reason("?", "budget", "how often the agent has gone back lately is not known")
    elif done >= moment.budget:
        times = "once" if done == 1 else f"{done} times"
        yield Reason(
            "-", "budget", f"the agent has gone back {times} already: another may be a loop"
        )


def fleet_is_uniform(moment: Moment) -> Iterator[Reason]:
    """Every instance that takes the traffic back runs the version that is meant."""
    others = [i for i in moment.fleet if i.version and i.version != moment.target]
    silent = [i for i in moment.fleet if not i.version]
    if others:
        text = f"{len(others)} of {len(moment.fleet)} instances do not run {moment.target}: "
        yield Reason("-", "fleet", f"{text}{others[0].name} runs {others[0].version}")
    elif silent:
        text = f"{len(silent)} of {len(moment.fleet)} instances do not say what they run"
        yield Reason("?", "fleet", f"{text}: {silent[0].name}")
    elif moment.fleet:
        yield Reason("+", "fleet", f"all {len(moment.fleet)} instances run {moment.target}")
