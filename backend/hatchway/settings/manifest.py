"""`.hatchway.yaml`, the file in a service's repository -> `Manifest`."""

from __future__ import annotations

from typing import Literal, cast

from hatchway.core.manifest import (
    ALL,
    MANIFEST,
    Config,
    Declared,
    DeclaredMigration,
    Dependent,
    Manifest,
    Schema,
    Unreadable,
)
from hatchway.settings.document import Items, Node, Page, Scalar
from hatchway.settings.errors import ConfigError, quoted
from hatchway.settings.fields import Fields

KEYS = ("version", "schema", "migrations", "config", "contracts", "dependents", "shared")
HIGHEST = 10**14  # a schema's number may be a time: 20240101120000


def read_manifest(data: bytes | None) -> Declared:
    """What the file's bytes declare; None when there is no file. Never raises."""
    if data is None:
        return None
    try:
        page = Page(MANIFEST, data)
        manifest = manifest_of(page)
        page.raise_troubles()
    except ConfigError as error:
        first = error.troubles[0]
        write = f"; write: {first.write}" if first.write else ""
        return Unreadable(f"{first.file}:{first.line}: {first.what}{write}")
    return manifest


def manifest_of(page: Page) -> Manifest:
    """The declaration in a page; mistakes are reported to the page."""
    fields = Fields(page, page.root, "the declaration", KEYS)
    fields.whole("version", low=1, high=1, example=1)
    return Manifest(
        schema=_schema(page, fields.value("schema")),
        migrations=tuple(_migration(page, node) for node in fields.items("migrations")),
        config=_config(page, fields.value("config")),
        contracts=fields.texts("contracts", example="[v1, v2]")
        if fields.has("contracts")
        else None,
        dependents=tuple(_dependent(page, node) for node in fields.items("dependents")),
        shared=_shared(fields),
    )


def _shared(fields: Fields) -> tuple[str, ...]:
    """Paths of shared infrastructure, or true: everything in this release is."""
    if isinstance(fields.value("shared"), Items):
        return fields.texts("shared", example='["infra/**"]')
    return ALL if fields.flag("shared", False) else ()


def _schema(page: Page, node: Node | None) -> Schema | None:
    if node is None:
        return None
    fields = Fields(page, node, "the schema", ("at", "reads"))
    at = fields.whole("at", low=0, high=HIGHEST, example=119)
    low, high = _span(page, fields)
    if fields.has("reads") and not page.troubles and not low <= at <= high:
        fields.report(
            "reads", f"it does not read its own schema, {at}", f"reads: [{min(low, at)}, {at}]"
        )
    return Schema(at, low, high)


def _span(page: Page, fields: Fields) -> tuple[int, int]:
    node = fields.value("reads")
    if node is None:
        if fields.has("at"):
            fields.report("reads", '"reads" is missing in the schema', "reads: [110, 119]")
        return 0, 0
    numbers = [
        int(item.text)
        for item in (node.items if isinstance(node, Items) else ())
        if isinstance(item, Scalar) and item.plain and item.text.isascii() and item.text.isdigit()
        and len(item.text) <= 14
    ]  # fmt: skip
    if not isinstance(node, Items) or len(numbers) != 2 or len(node.items) != 2:
        fields.report(
            "reads", '"reads" takes the lowest and the highest schema', "reads: [110, 119]"
        )
        return 0, 0
    if numbers[0] > numbers[1]:
        fields.report(
            "reads", f"{numbers[0]} is above {numbers[1]}", f"reads: [{numbers[1]}, {numbers[0]}]"
        )
    return numbers[0], numbers[1]


def _migration(page: Page, node: Node) -> DeclaredMigration:
    fields = Fields(page, node, "a migration", ("file", "phase", "reversible"))
    return DeclaredMigration(
        file=fields.text("file", example="migrations/0119_add_note.sql"),
        phase=cast(Literal["expand", "contract"], fields.choice("phase", ("expand", "contract"))),
        reversible=fields.flag("reversible", True),
    )


def _config(page: Page, node: Node | None) -> Config | None:
    if node is None:
        return None
    fields = Fields(page, node, "the configuration", ("at", "runs_with", "shared"))
    at = fields.text("at", "", example="c2")
    runs_with = fields.texts("runs_with", example="[c1, c2]")
    if at and runs_with and at not in runs_with:
        what = f"this version is released with {quoted(at)}, which is not in it"
        fields.report("runs_with", what, f"runs_with: [{', '.join((*runs_with, at))}]")
    return Config(at, runs_with, fields.texts("shared", example='["config/flags.yaml"]'))


def _dependent(page: Page, node: Node) -> Dependent:
    fields = Fields(page, node, "a dependent", ("name", "uses"))
    return Dependent(fields.text("name", example="billing"), fields.text("uses", example="v2"))
