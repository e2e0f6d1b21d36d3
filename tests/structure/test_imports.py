"""Who may import whom: the contracts hold, nothing is circular, the stops need no package."""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

Modules = dict[str, Path]


def test_the_import_contracts_are_kept(root: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_no_import_is_circular(modules: Modules) -> None:
    graph = {
        name: {m for target, _ in imports(name, file, lazy=False) for m in known(target, modules)}
        for name, file in modules.items()
    }
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(f"circular: {' -> '.join(reversed(error.args[1]))}")


def test_every_module_can_be_imported_and_importing_prints_nothing(
    root: Path, modules: Modules
) -> None:
    # Without cycles (see above) the order does not matter: one process will do.
    program = "import importlib, sys; [importlib.import_module(n) for n in sys.argv[1:]]"
    program += "; print('all')"
    names = [name for name in modules if not name.endswith("__main__")]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *names],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("all\n", "")


@pytest.mark.parametrize("room", ["hatchway.core", "hatchway.judge", "hatchway.edge.protocol"])
def test_pure_rooms_import_only_the_standard_library_and_msgspec(
    modules: Modules, room: str
) -> None:
    for name, file in modules.items():
        if name == room or name.startswith(f"{room}."):
            for target, line in imports(name, file):
                top = target.split(".")[0]
                allowed = top in sys.stdlib_module_names or top in {"msgspec", "hatchway"}
                assert allowed, f"{file}:{line} imports {target}"


def test_the_governor_imports_only_the_standard_library(modules: Modules) -> None:
    for name, file in modules.items():
        if name.split(".")[:2] == ["hatchway", "governor"]:
            for target, line in imports(name, file):
                top = target.split(".")[0]
                assert top in sys.stdlib_module_names or target.startswith("hatchway.governor"), (
                    f"{file}:{line} imports {target}"
                )


def test_what_is_imported_is_declared(root: Path, modules: Modules) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {
        item.split("=")[0].split(">")[0].strip().replace("-", "_").lower()
        for item in (*project["dependencies"], *project["optional-dependencies"]["sign"])
    }
    as_imported = {"pyyaml": "yaml"}
    allowed = {as_imported.get(name, name) for name in declared} | {"hatchway", "hatchway_tui"}
    used = set()
    for name, file in modules.items():
        for target, line in imports(name, file):
            top = target.split(".")[0]
            used.add(top)
            assert top in allowed or top in sys.stdlib_module_names, f"{file}:{line}: {top}"
    assert allowed <= used, f"declared, but not imported anywhere: {allowed - used}"


# `-S` leaves site-packages out: any third-party import fails.
def bare(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        env={"PYTHONPATH": str(root / "backend"), "PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", ["pause", "takeover", "rollback", "stopall", "status"])
def test_the_stops_run_without_any_package(root: Path, tmp_path: Path, verb: str) -> None:
    done = bare(root, "-m", "hatchway.cli.main", verb, "--dir", str(tmp_path))
    assert done.returncode not in {0, 2}, done.stdout
    assert "Traceback" not in done.stderr
    assert "NOT DONE" in done.stdout + done.stderr


def test_the_governor_starts_without_any_package(root: Path, modules: Modules) -> None:
    names = [n for n in modules if n.startswith("hatchway.governor.") and "__main__" not in n]
    program = "import importlib, sys; [importlib.import_module(n) for n in sys.argv[1:]]; print(1)"
    assert bare(root, "-c", program, *names).stdout == "1\n"
    helped = bare(root, "-m", "hatchway.governor", "--help")
    assert "ModuleNotFoundError" not in helped.stderr


def test_the_bare_interpreter_of_these_tests_really_has_no_packages(root: Path) -> None:
    assert "ModuleNotFoundError" in bare(root, "-c", "import msgspec").stderr


def imports(name: str, file: Path, *, lazy: bool = True) -> Iterator[tuple[str, int]]:
    """(module, line) of each import; without `lazy` only of those that run at import."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in _statements(ast.parse(file.read_bytes()), lazy=lazy):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join([*base, node.module] if node.module else base)
            origin = start if node.level else str(node.module)
            yield from ((f"{origin}.{alias.name}", node.lineno) for alias in node.names)


def known(target: str, modules: Modules) -> Iterator[str]:
    """The module of the project that an import runs, if any: `a.b.Name` runs `a.b`."""
    if target in modules:
        yield target
    elif target.rpartition(".")[0] in modules:
        yield target.rpartition(".")[0]


def _statements(tree: ast.AST, *, lazy: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if not lazy and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        yield from _statements(node, lazy=lazy)
