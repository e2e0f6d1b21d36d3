"""Where in the user's own file a rule stands, so that an answer can point at it."""

from __future__ import annotations

from pathlib import Path

from hatchway.settings.document import Items, Node, Scalar, Table, open_page


def rule_lines(path: Path, environment: str, capability: str) -> tuple[tuple[int, str], ...]:
    """The lines of a rule in a policy file, each with its number; none when it is not there."""
    page = open_page(path)
    node: Node | None = page.root
    first = 0
    for key in ("environments", environment, "capabilities", capability):
        if not isinstance(node, Table) or key not in node.entries:
            return ()
        first, node = node.entries[key].key.line, node.entries[key].value
    last = max(first, _last(node) if node is not None else first)
    lines = page.data.decode(errors="replace").splitlines()
    return tuple((n, lines[n - 1].rstrip()) for n in range(first, min(last, len(lines)) + 1))


def _last(node: Node) -> int:
    match node:
        case Scalar():
            return node.line
        case Items():
            return max((_last(item) for item in node.items), default=node.line)
        case Table():
            below = (_last(entry.value) for entry in node.entries.values())
            return max(below, default=node.line)
