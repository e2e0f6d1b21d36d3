"""The words of a command: a list, never a line for a shell."""

from __future__ import annotations

from hatchway.settings.document import Scalar
from hatchway.settings.fields import Fields, clean, describe
from hatchway.settings.words import NotUnderstood


def argv(fields: Fields, key: str, example: str, *, required: bool = False) -> tuple[str, ...]:
    """The command at the key; empty when there is none, or after a mistake."""
    words: list[str] = []
    for node in fields.items(key, required=required, example=example):
        if not isinstance(node, Scalar) or node.empty:
            said = f'"{key}" lists the words of a command, found {describe(node)}'
            fields.page.report(node, said, example)
            return ()
        try:
            words.append(clean(node.text, example))
        except NotUnderstood as error:
            fields.page.report(node, f'"{key}": {error.what}', error.write)
    return tuple(words)
