"""`checkpoints:` of hatchway.yaml -> `CheckpointSpec`."""

from __future__ import annotations

from hatchway.core.plan import CheckpointSpec
from hatchway.settings.document import Items, Scalar
from hatchway.settings.fields import Fields, clean, describe
from hatchway.settings.words import NotUnderstood

_TO = "[/mnt/audit/checkpoints, [ssh, loghost, 'cat >> checkpoints']]"


def checkpoints_of(installation: Fields) -> CheckpointSpec | None:
    """When a checkpoint is noted and where it is put; None when nothing is said of it."""
    table = installation.table("checkpoints")
    if table is None:
        return None
    fields = Fields(installation.page, table, "checkpoints", ("every", "to", "key"))
    files: list[str] = []
    commands: list[tuple[str, ...]] = []
    for node in fields.items("to", required=True, example=_TO):
        try:
            if isinstance(node, Scalar):
                files.append(clean(node.text, _TO))
            elif isinstance(node, Items) and node.items:
                words = [n for n in node.items if isinstance(n, Scalar)]
                if len(words) != len(node.items):
                    raise NotUnderstood("a command is a list of words", "[ssh, loghost, ...]")
                commands.append(tuple(clean(word.text, _TO) for word in words))
            else:
                raise NotUnderstood(f"a file or a command, found {describe(node)}", _TO)
        except NotUnderstood as error:
            fields.page.report(node, f'"to": {error.what}', error.write)
    return CheckpointSpec(
        every_s=fields.duration("every", 600.0, example="10m", low=5.0, high=7 * 86400.0),
        files=tuple(files),
        commands=tuple(commands),
        key=fields.text("key", "checkpoint.key", example="checkpoint.key"),
    )
