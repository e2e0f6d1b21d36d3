"""The tree stands alone: no place of one machine in it, everything pinned, no giant files."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PINNED = ("requirements.txt", "requirements-run.txt", "requirements-pyz.txt")
LONGEST_MODULE = 460  # 400 is the aim; what is above it is named in the report below
TEXT = {".py", ".sh", ".yaml", ".toml", ".md", ".txt", ".tcss", ".json", ".cfg", "", ".svg"}


def texts(tracked: list[Path]) -> list[tuple[Path, str]]:
    found = [file for file in tracked if file.suffix in TEXT]
    return [(file, file.read_text(encoding="utf-8")) for file in found]


def test_no_file_names_a_host_on_the_network(tracked: list[Path]) -> None:
    # Fit for others to fetch from: an address with a name. Namespaces and examples are none.
    address = re.compile(r"(?:https?|wss?|ssh|git)://(?!\{)([A-Za-z0-9.-]+\.[A-Za-z]{2,})")
    allowed = re.compile(r"(www\.w3\.org|.*\.(example|invalid|test|localhost))$")
    wrong = [
        f"{file}: {match[0]}"
        for file, text in texts(tracked)
        for match in address.finditer(text)
        if not allowed.match(match[1]) and "screenshots" not in file.parts
    ]
    assert wrong == []


def test_pinned_requirements_name_no_host_and_no_path(root: Path) -> None:
    for name in PINNED:
        for line in (root / name).read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(
                r"[a-z0-9-]+==[0-9a-z.]+( ; [a-z_ =!<>'\".0-9A-Z()]+)? \\"
                r"|    --hash=sha256:[0-9a-f]{64}( \\)?",
                line,
            ), f"{name}: {line}"


def test_no_file_holds_a_path_of_one_machine(root: Path, tracked: list[Path]) -> None:
    homes = "|".join(["root", "home", "Users", "work", "opt"])
    path = re.compile(rf"""(?<![\w.$}}~*-])/({homes})/[\w.-]+|{re.escape(str(root))}(?![\w-])""")
    wrong = [
        f"{file}: {match[0]}"
        for file, text in texts(tracked)
        for match in path.finditer(text)
        if file != Path(__file__)
    ]
    assert wrong == []


def test_every_declared_package_is_pinned_within_its_bounds(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    run = project["project"]["dependencies"]
    groups = project["dependency-groups"]
    extras = project["project"]["optional-dependencies"].values()
    everything = [*run, *(name for extra in extras for name in extra)]
    everything += [*groups["dev"], *groups["build"]]
    for name, declared in (
        ("requirements.txt", everything),
        ("requirements-run.txt", run),
        ("requirements-pyz.txt", groups["pyz"]),
    ):
        pins = pinned(root / name)
        for item in declared:
            wanted = Requirement(item)
            version = pins.get(canonicalize_name(wanted.name))
            assert version, f"{name} does not pin {wanted.name}: run make lock"
            assert wanted.specifier.contains(version), f"{name}: {wanted}, pinned {version}"


def test_all_pinned_files_agree(root: Path) -> None:
    everything, run = pinned(root / PINNED[0]), pinned(root / PINNED[1])
    assert run.items() <= everything.items()


def pinned(file: Path) -> dict[str, str]:
    """Versions by package."""
    lines = file.read_text(encoding="utf-8").splitlines()
    found = [re.match(r"([a-z0-9-]+)==([^ ]+)", line) for line in lines]
    return {canonicalize_name(m[1]): m[2] for m in found if m}


def test_the_version_is_said_once(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    code = (root / "backend" / "hatchway" / "__init__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{project["version"]}"' in code


def test_no_module_has_grown_out_of_hand(modules: dict[str, Path]) -> None:
    sizes = {
        name: len(file.read_text(encoding="utf-8").splitlines()) for name, file in modules.items()
    }
    report = [f"{n} lines: {name}" for name, n in sorted(sizes.items(), key=lambda i: -i[1])[:8]]
    print("\n".join(report))
    assert max(sizes.values()) <= LONGEST_MODULE, "\n".join(report)


def test_no_file_is_named_after_nothing(modules: dict[str, Path]) -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "base"}
    assert [name for name in modules if empty & set(name.split("."))] == []


@pytest.mark.parametrize("script", ["setup.sh", "install.sh", "pyz.sh", "check_packages.sh"])
def test_shell_scripts_are_posix(root: Path, script: str) -> None:
    subprocess.run(["sh", "-n", root / ".ci" / script], check=True)


def test_make_help_names_every_target_that_people_use(root: Path) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    listed = re.search(r"^\.PHONY: (.*) \$\(STALE\)$", makefile, re.MULTILINE)
    assert listed
    helped = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for target in listed[1].split():
        assert target == "help" or re.search(rf"^make {target}\b", helped, re.MULTILINE), target


def test_the_makefile_needs_no_make_newer_than_that_of_macos(root: Path) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    newer = re.compile(r"!=|::=|\$\(file|\.ONESHELL|\.RECIPEPREFIX|&:|\$\(let|\$\(intcmp")
    assert newer.search(makefile) is None
