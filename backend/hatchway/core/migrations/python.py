"""What the migrations of Alembic and Django do, read from their syntax tree; nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Literal

from hatchway.core.migrations.found import Seen, breaks, unclear
from hatchway.core.migrations.sql import read_sql

Back = Literal["yes", "no", "unknown"]
Read = tuple[tuple[Seen, ...], Back]
NO_WAY_BACK = "says itself that there is no way back"


def parse(text: str) -> ast.Module | None:
    """The syntax tree; None for what is not Python, or nested beyond measure."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_alembic(tree: ast.Module) -> bool:
    """Whether it says which revision it comes after, or has an upgrade() that uses alembic."""
    return "down_revision" in _assigned(tree) or (
        _function(tree, "upgrade") is not None and bool(_names_of_op(tree))
    )


def is_django(tree: ast.Module) -> bool:
    """Whether it has the class that Django looks for."""
    return any(isinstance(n, ast.ClassDef) and n.name == "Migration" for n in tree.body)


# --- alembic ----------------------------------------------------------------------------------


def read_alembic(tree: ast.Module) -> Read:
    """What upgrade() does, and whether downgrade() is there."""
    up = _function(tree, "upgrade")
    if up is None:
        return (unclear("has no upgrade()"),), "unknown"
    ops = _names_of_op(tree) | {
        item.optional_vars.id
        for node in ast.walk(up)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
    }
    harmless = _names_of(tree, "sqlalchemy")
    found: list[Seen] = []
    if any(
        isinstance(n, ast.Expr | ast.For | ast.With | ast.If) and any(_calls(n)) for n in tree.body
    ):
        found.append(unclear("runs code when it is loaded"))
    for call in _calls(up):
        root = _root(call.func)
        if root in ops:
            found += _operation(call)
        elif root not in harmless or _last(call.func) in _CONNECTS:
            found.append(unclear(f"runs code: {ast.unparse(call.func)[:40]}()"))
    back = _back(_function(tree, "downgrade"))
    if back == "raises":
        return (*found, unclear(NO_WAY_BACK)), "no"
    return tuple(found), "yes" if back == "something" else "no"


_CONNECTS = {"execute", "connect", "begin", "create_engine", "exec_driver_sql", "drop", "drop_all"}
_ADDS = {
    "get_context",
    "autocommit_block",
    "create_table",
    "create_index",
    "bulk_insert",
    "batch_alter_table",
    "f",
    "create_schema",
}
_BREAKS = {
    "drop_column": "drops the column",
    "drop_table": "drops the table",
    "rename_table": "renames the table",
    "drop_schema": "drops the schema",
}


def _operation(call: ast.Call) -> list[Seen]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else "call"
    where = _dotted([_text(a) for a in call.args[:2]])
    keys = {k.arg: k.value for k in call.keywords}
    if None in keys:
        return [unclear(f"{name}({where}) with parameters that cannot be seen")]
    if name in _BREAKS:
        return [breaks(f"{_BREAKS[name]} {where}")]
    if name == "alter_column":
        return [_alter_column(where, {str(k): v for k, v in keys.items()})]
    if name == "add_column":
        return [s for arg in call.args[-1:] for s in _new_column(where, arg)]
    if name == "execute":
        return _sql(call.args[0] if call.args else None)
    if name == "create_index" and "unique" in keys and not _is(keys["unique"], False):
        return [unclear(f"forbids duplicates ({where})")]
    if name in _ADDS:
        return []
    return [unclear(f"{name}({where})")]


def _alter_column(where: str, keys: dict[str, ast.expr]) -> Seen:
    if "new_column_name" in keys or "name" in keys:
        return breaks(f"renames the column {where}")
    if "type_" in keys:
        return breaks(f"changes the type of {where}")
    if "nullable" in keys and not _is(keys["nullable"], True):
        return breaks(f"{where} may not be empty any more")
    if set(keys) <= {"comment", "existing_type", "existing_nullable", "existing_comment"}:
        return Seen("adds", f"describes {where}")
    return unclear(f"alters the column {where}")


def _new_column(where: str, column: ast.expr) -> list[Seen]:
    if not isinstance(column, ast.Call):
        return [unclear(f"adds a column to {where} that cannot be seen")]
    keys = {k.arg: k.value for k in column.keywords}
    name = _dotted([where, _text(column.args[0]) if column.args else "?"])
    needs = "nullable" in keys and not _is(keys["nullable"], True)
    if needs and "server_default" not in keys:
        return [breaks(f"adds {name}, which may not be empty and has no default")]
    if None in keys or any(
        not _is(keys.get(k), False) for k in ("unique", "primary_key") if k in keys
    ):
        return [unclear(f"adds {name} with a constraint")]
    return []


# --- django -----------------------------------------------------------------------------------


def read_django(tree: ast.Module) -> Read:
    """What the operations of the class Migration do."""
    migration = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Migration")
    found: list[Seen] = []
    operations: list[ast.expr] = []
    for node in migration.body:
        targets, value = _assignment(node)
        if "operations" not in targets:
            if isinstance(node, ast.FunctionDef):
                found.append(unclear(f"runs code: {node.name}()"))
            continue
        if isinstance(node, ast.AugAssign) or not isinstance(value, ast.List | ast.Tuple):
            found.append(unclear("its operations cannot be seen"))
        else:
            operations += value.elts
    back: Back = "yes"
    for operation in operations:
        seen, one_way = _django_operation(operation)
        found += seen
        back = "no" if one_way else back
    return tuple(found), back


_NO_SCHEMA = {"AlterModelOptions", "AlterModelManagers", "AlterModelTableComment", "CreateModel"}
_NO_SCHEMA |= {"AddIndex", "CreateExtension", "RenameIndex", "AddIndexConcurrently"}
_DJANGO_BREAKS = {
    "RemoveField": "drops the column",
    "DeleteModel": "drops the table of",
    "RenameField": "renames the column",
    "RenameModel": "renames the table of",
    "AlterModelTable": "renames the table of",
}


def _django_operation(node: ast.expr) -> tuple[list[Seen], bool]:
    """What it does, and whether it has no way back."""
    if not isinstance(node, ast.Call):
        return [unclear("an operation that cannot be seen")], False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)[:40]
    keys = {str(k.arg): k.value for k in node.keywords}
    given = ("model_name", "name") if "Field" in name else ("name", "old_name")
    by_key = [_text(keys[key]) for key in (*given, "old_name") if key in keys]
    where = _dotted(by_key or [_text(a) for a in node.args[:2]])
    if name in _DJANGO_BREAKS:
        return [breaks(f"{_DJANGO_BREAKS[name]} {where}")], False
    if name == "AddField":
        field = keys.get("field") or (node.args[2] if len(node.args) > 2 else None)
        return _new_field(where, field), False
    if name == "RunSQL":
        sql = keys.get("sql") or (node.args[0] if node.args else None)
        return _sql(sql), "reverse_sql" not in keys and len(node.args) < 2
    if name == "RunPython":
        one_way = "reverse_code" not in keys and len(node.args) < 2
        return [unclear("runs code (RunPython)")], one_way
    if name == "SeparateDatabaseAndState":
        return _only_database(node, keys)
    if name in _NO_SCHEMA:
        return [], False
    return [unclear(f"{name} {where}".strip())], False


def _only_database(node: ast.Call, keys: dict[str, ast.expr]) -> tuple[list[Seen], bool]:
    inner = keys.get("database_operations") or (node.args[0] if node.args else None)
    if inner is None:
        return [], False
    if not isinstance(inner, ast.List | ast.Tuple):
        return [unclear("its operations cannot be seen")], False
    results = [_django_operation(each) for each in inner.elts]
    return [s for seen, _ in results for s in seen], any(one_way for _, one_way in results)


def _new_field(where: str, field: ast.expr | None) -> list[Seen]:
    if not isinstance(field, ast.Call):
        return [unclear(f"adds {where}, a field that cannot be seen")]
    keys = {k.arg: k.value for k in field.keywords}
    if None in keys:
        return [unclear(f"adds {where}, a field that cannot be seen")]
    kind = field.func.attr if isinstance(field.func, ast.Attribute) else ast.unparse(field.func)
    if kind == "ManyToManyField" or "db_default" in keys:
        return []
    if _is(keys.get("null"), True):
        unique = kind == "OneToOneField" or "unique" in keys
        return [unclear(f"adds {where} with a constraint")] if unique else []
    # Django fills existing rows, then takes the default out of the database again.
    return [breaks(f"adds {where}, which may not be empty and gets no default in the database")]


# --- both -------------------------------------------------------------------------------------


def _sql(node: ast.expr | None) -> list[Seen]:
    if isinstance(node, ast.Call) and node.args:  # sa.text("...")
        node = node.args[0]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return list(read_sql(node.value))
    if isinstance(node, ast.List | ast.Tuple):
        return [s for each in node.elts for s in _sql(each)]
    if isinstance(node, ast.Attribute) and node.attr == "noop":
        return []
    return [unclear("runs SQL that cannot be seen")]


def _function(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == name]
    return found[-1] if found else None


def _back(down: ast.FunctionDef | None) -> Literal["nothing", "raises", "something"]:
    """What downgrade() holds."""
    body = [n for n in (down.body if down else ()) if not isinstance(n, ast.Pass)]
    body = [n for n in body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
    if any(isinstance(n, ast.Raise) for n in body):
        return "raises"
    if not body or all(isinstance(n, ast.Return) and n.value is None for n in body):
        return "nothing"
    return "something"


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (n for n in ast.walk(node) if isinstance(n, ast.Call))


def _names_of_op(tree: ast.Module) -> set[str]:
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "alembic"
        for alias in node.names
        if alias.name == "op"
    }


def _names_of(tree: ast.Module, package: str) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(a.asname or a.name).partition(".")[0] for a in node.names
                      if a.name.partition(".")[0] == package}  # fmt: skip
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == package:
            found |= {a.asname or a.name for a in node.names}
    return found


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _assigned(tree: ast.Module) -> set[str]:
    return {name for node in tree.body for name in _assignment(node)[0]}


def _assignment(node: ast.stmt) -> tuple[set[str], ast.expr | None]:
    targets: Sequence[ast.expr] = ()
    value: ast.expr | None = None
    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets, value = (node.target,), node.value
    return {t.id for t in targets if isinstance(t, ast.Name)}, value


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value[:60]
    return ""


def _dotted(parts: Sequence[str]) -> str:
    return ".".join(part for part in parts if part) or "something"
