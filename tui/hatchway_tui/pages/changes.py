"""WHAT SHIPS: risk, what going back would meet, migrations, dependencies, commits and files."""

from __future__ import annotations

from hatchway.edge.docs.changes import ChangesDoc, UndoReason
from hatchway.edge.protocol import RunDoc
from hatchway_tui import safe_text
from hatchway_tui.pages.page import Ask, Page, Row, answer_to, not_yet
from hatchway_tui.paint import words
from hatchway_tui.paint.canvas import Piece
from hatchway_tui.paint.middle import MARKS
from hatchway_tui.view import View

RISK = {"LOW": "ok", "MEDIUM": "warn", "HIGH": "bad"}
SAFE = {
    "yes": ("YES", "ok"), "no": ("NO", "bad"), "unknown": ("NOT KNOWN TO BE", "warn"),
    "": ("NOBODY LOOKED", "warn"),
}  # fmt: skip
SIGNS = {"+": "ok", "-": "bad", "?": "warn"}
RULES = {
    "migrations": "migrations", "schema": "schema", "config": "configuration",
    "dependents": "dependents", "shared": "infrastructure", "manifest": ".hatchway.yaml",
}  # fmt: skip


def _asks(view: View) -> Ask | None:
    return ("changes", view.run.id) if view.run is not None else None


def _changes(view: View, width: int) -> list[Row]:
    run = view.run
    if run is None:
        return [(Piece("nothing is being released", "dim"),)]
    told = answer_to(view, "changes", run.id)
    doc = told if isinstance(told, ChangesDoc) else None
    rows = _head(run, doc, width)
    if doc is None:
        rows += [(), *not_yet(view, "changes", run.id)]
        if run.undo:
            rows += _said("undo safe ", run.undo, width)
    else:
        rows += _undo(run, doc, width)
        rows += _dependencies(doc, width)
        rows += _scans(doc, width)
    rows += _commits(run, doc, width)
    return rows + _files(run, width)


def _title(text: str, more: str = "", tone: str = "dim") -> list[Row]:
    return [(), (Piece(text, "hi", True), Piece(f"  {more}" if more else "", tone))]


def _said(lead: str, text: str, width: int, tone: str = "txt", lines: int = 4) -> list[Row]:
    """`text` after `lead`, wrapped under itself."""
    texts = safe_text.wrap(text, max(width - safe_text.width(lead), 16), lines) or [""]
    blank = " " * safe_text.width(lead)
    return [
        (Piece(blank if index else lead, "dim"), Piece(each, tone))
        for index, each in enumerate(texts)
    ]


def _head(run: RunDoc, doc: ChangesDoc | None, width: int) -> list[Row]:
    added, removed, binary = _lines(run.files)
    lines = f"+{added} -{removed}" + (f", {binary} binary" if binary else "")
    counts = f"{words.count(len(run.changes), 'commit')}, {words.count(len(run.files), 'file')}"
    rows: list[Row] = [
        (
            Piece(f"{run.service} {run.from_version} → {run.to_version}  ", "hi", True),
            Piece(f"{counts}, {lines}  " if run.files else "", "dim"),
            Piece(run.commit[:12], "dim"),
        )
    ]
    if not (run.risk or run.changes or run.files):
        return [*rows, (Piece("known when the release is requested", "warn"),)]
    rows += [(), (Piece("RISK ", "hi", True), Piece(run.risk or "not known", RISK.get(run.risk, "warn"), True))]  # fmt: skip
    for text in run.risk_reasons:
        level = text.partition(":")[0]
        rows += _said("  because ", text, width, RISK.get(level, "txt") if level == run.risk else "txt")  # fmt: skip
    for text in run.attention:
        rows += _said("  look at ", text.removeprefix("look at "), width, "warn")
    if doc is not None and doc.artifact:
        rows += _said("  artifact ", doc.artifact, width, "dim", 2)
    return rows


def _lines(files: tuple[str, ...]) -> tuple[int, int, int]:
    """Lines added and removed in all, and how many files are binary."""
    added = removed = binary = 0
    for file in files:
        plus, minus = _counts(file)
        added, removed = added + plus, removed + minus
        binary += file.endswith("  binary")
    return added, removed, binary


def _counts(file: str) -> tuple[int, int]:
    told = file.rpartition("  ")[2].split(" ")
    if len(told) == 2 and told[0][:1] == "+" and told[1][:1] == "-":
        plus, minus = told[0][1:], told[1][1:]
        if plus.isascii() and plus.isdigit() and minus.isascii() and minus.isdigit():
            return int(plus[:9]), int(minus[:9])
    return 0, 0


def _undo(run: RunDoc, doc: ChangesDoc, width: int) -> list[Row]:
    word, tone = SAFE[doc.safe]
    if not doc.requested:
        return [*_title("UNDO SAFE"), (Piece("  worked out when the release is requested", "dim"),)]
    rows = [*_title("UNDO SAFE", word, tone)]
    told = {
        "yes": f"{run.from_version} can take the traffic back; what was found:",
        "no": f"going back to {run.from_version} is not safe; what was found:",
        "unknown": f"whether {run.from_version} can take the traffic back is not certain; what was found:",
        "": f"whether {run.from_version} can take the traffic back is not known:",
    }[doc.safe]
    rows += _said("  ", told, width, "dim", 2)
    if not doc.safe:
        rows += _said("  ? ", "an older backend made this request and did not look", width, "warn")
    worst = sorted(doc.reasons, key=lambda each: "-?+".find(each.sign))
    cells = max((len(RULES.get(each.rule, each.rule)) for each in worst), default=0)
    for each in worst:
        rows += _reason(each, min(cells, 16), width)
    for text in doc.residue:
        rows += _said("  stays ", text, width, "warn")
    if doc.declares:
        rows += _said("  note  ", "this release changes .hatchway.yaml, what it declares itself", width)  # fmt: skip
    return rows


def _reason(each: UndoReason, cells: int, width: int) -> list[Row]:
    tone = SIGNS[each.sign]
    rule = safe_text.fit(RULES.get(each.rule, each.rule), cells)
    rule += " " * (cells - safe_text.width(rule))
    texts = safe_text.wrap(each.text, max(width - cells - 6, 16), 4) or [""]
    first: Row = (
        Piece(f"  {each.sign} ", tone, True), Piece(f"{rule}  ", "dim"),
        Piece(texts[0], "txt" if each.sign == "+" else tone),
    )  # fmt: skip
    return [first, *((Piece(" " * (cells + 6)), Piece(text, tone)) for text in texts[1:])]


def _dependencies(doc: ChangesDoc, width: int) -> list[Row]:
    if not doc.requested:
        return []
    if not doc.dependencies:
        text = "no file that names dependencies changes (told by the names of the files)"
        return [*_title("DEPENDENCIES"), *_said("  ", text, width, "dim")]
    rows = _title("DEPENDENCIES", words.count(len(doc.dependencies), "file") + " changed", "warn")
    for each in doc.dependencies:
        rows += _said(f"  {each.of} {each.kind}  ", each.file, width, "txt", 2)
    return rows


def _scans(doc: ChangesDoc, width: int) -> list[Row]:
    rows = _title("SCANS")
    if not doc.scans:
        text = "not begun yet" if doc.has_scans else "the pipeline has no stage that scans"
        return [*rows, (Piece(f"  {text}", "dim" if doc.has_scans else "warn"),)]
    for each in doc.scans:
        mark, tone = MARKS[each.status]
        why = f": {each.why}" if each.why and each.status == "failed" else ""
        rows.append((Piece(f"  {mark} ", tone), Piece(f"{each.stage} / {each.job} {each.status}{why}"),))  # fmt: skip
        for line in each.said:
            rows += _said("      ", line, width, "dim", 2)
    return rows


def _commits(run: RunDoc, doc: ChangesDoc | None, width: int) -> list[Row]:
    rows = _title(words.count(len(run.changes), "commit"))
    for each in run.changes:
        lead = f"  {each.commit[:8]}  "
        room = max(width - len(lead), 16)
        author = safe_text.fit(f"  {each.author}", room // 3)
        rows.append(
            (
                Piece(lead, "dim"),
                Piece(safe_text.fit(each.title, room - safe_text.width(author))),
                Piece(author, "dim"),
            )
        )
    if doc is not None and doc.requested:
        for lead, who in (("  written by ", doc.authors), ("  pushed by  ", doc.pushers)):
            rows += _said(lead, ", ".join(who) or "not recorded", width, "dim", 3)
        if doc.requester:
            rows += _said("  asked by   ", doc.requester + (f" for {doc.ref}" if doc.ref else ""), width, "dim")  # fmt: skip
    return rows


def _files(run: RunDoc, width: int) -> list[Row]:
    """The files by their folder, the folder with the most changed lines first."""
    folders: dict[str, list[str]] = {}
    for file in run.files:
        path = file.rpartition("  ")[0] or file
        folders.setdefault(path.rpartition("/")[0], []).append(file)
    rows = _title(words.count(len(run.files), "file"))
    ordered = sorted(folders.items(), key=lambda each: -sum(_lines(tuple(each[1]))[:2]))
    for folder, files in ordered:
        added, removed, _ = _lines(tuple(files))
        name = folder + "/" if folder else "(top)"
        rows.append(
            (
                Piece(f"  {safe_text.fit(name, max(width - 24, 8))}", "txt", True),
                Piece(f"  +{added} -{removed}", "dim"),
            )
        )
        for file in files:
            path, _, told = file.rpartition("  ")
            base = (path or file).rpartition("/")[2] or path or file
            rows.append(
                (
                    Piece(f"    {safe_text.fit(base, max(width - 24, 8))}  "),
                    Piece(told if path else "", "dim"),
                )
            )
    return rows


PAGE = Page("WHAT SHIPS", _changes, asks=_asks)
