"""A git repository on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Literal

from hatchway.core.events import Change
from hatchway.core.migrations import SourceFile
from hatchway.forge.port import ChangedFile, Changes, ForgeError

TIMEOUT_S = 30.0
MOST_COMMITS = 200
LONGEST_NAME = 100  # of an author, in characters
LONGEST_TITLE = 300
_CHANGE: dict[str, Literal["added", "changed", "deleted"]] = {"A": "added", "D": "deleted"}


class GitForge:
    """Reads `repo` by the git command; checkouts go to `work/COMMIT`."""

    def __init__(self, repo: Path, work: Path) -> None:
        self._repo = repo
        self._work = work

    async def resolve(self, ref: str) -> str:
        return (
            await self._git("rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}")
        ).strip()

    async def version(self, commit: str) -> str:
        try:
            tag = await self._git("describe", "--tags", "--exact-match", commit)
        except ForgeError:
            return commit[:7]
        return tag.strip().removeprefix("v")

    async def changes(self, base: str, commit: str) -> Changes:
        span = f"{base}..{commit}"
        # NUL ends every field: a line break of any kind in a name or a title hides nothing.
        log = await self._git(
            "-c",
            "log.showSignature=false",
            "log",
            "-z",
            f"--max-count={MOST_COMMITS}",
            "--format=%H%x00%an%x00%ae%x00%s",
            span,
        )
        fields = log.split("\0")
        commits = tuple(
            Change(commit, author[:LONGEST_NAME], title[:LONGEST_TITLE], email[:LONGEST_NAME])
            for commit, author, email, title in zip(
                fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=False
            )
        )
        stat = await self._git(
            "diff",
            "--numstat",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            f"{base}...{commit}",
        )
        files = tuple(_changed(entry) for entry in stat.split("\0") if entry)
        in_all = int(await self._git("rev-list", "--count", span))
        pusher, tree = (await self._git("show", "-s", "--format=%cn <%ce>%x00%T", commit)).split(
            "\0"
        )
        authors = await self._authors(span)
        return Changes(commits, files, in_all, authors, (pusher.strip(),), tree.strip())

    async def _authors(self, span: str) -> tuple[str, ...]:
        """Everybody who wrote a commit of all of them, as it stands there: no .mailmap is believed,
        since who writes a commit may write that file too.
        """
        said = await self._git(
            *("-c", "log.showSignature=false", "log", "-z", "--no-mailmap"),
            "--format=%an <%ae>%x1e%(trailers:key=Co-authored-by,valueonly,separator=%x1e)",
            span,
        )
        names = (name.strip() for entry in said.split("\0") for name in entry.split("\x1e"))
        return tuple(dict.fromkeys(filter(None, names)))

    async def difference(self, base: str, commit: str) -> tuple[SourceFile, ...]:
        said = await self._git(
            *("diff", "--name-status", "-z", "--no-renames", "--no-ext-diff", "--no-textconv"),
            *("--ignore-submodules=none", base, commit),
        )
        fields = said.split("\0")
        return tuple(
            SourceFile(path, _CHANGE.get(letter[:1], "changed"))
            for letter, path in zip(fields[::2], fields[1::2], strict=False)
        )

    async def read(self, commit: str, path: str, most: int) -> SourceFile | None:
        entry = await self._git("ls-tree", "-z", "-l", "--full-tree", commit, "--", path)
        about, _, name = entry.partition("\0")[0].partition("\t")
        fields = about.split()
        if name != path or len(fields) != 4 or fields[1] != "blob":
            return None
        size = int(fields[3])
        # A link has the name of another file as its content: it says nothing itself.
        if size > most or fields[0] == "120000":
            return SourceFile(path, "changed", None, size)
        command = ["git", "-C", str(self._repo), "cat-file", "blob", fields[2]]
        return SourceFile(path, "changed", await _run(command), size)

    async def checkout(self, commit: str) -> Path:
        place = self._work / commit
        try:
            if not await asyncio.to_thread(place.is_dir):
                await self._make(commit, place)
        except OSError as error:
            if not place.is_dir():  # else somebody else was first
                raise ForgeError(f"cannot make a checkout of {commit[:7]}: {error}") from error
        return place

    async def _make(self, commit: str, place: Path) -> None:
        """Made beside its place and renamed, so that a half-written checkout is never used."""
        self._work.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=self._work))
        try:
            files, archive = new / "files", new / "archive.tar"
            files.mkdir()
            await self._git("archive", "--format=tar", f"--output={archive}", commit)
            await _run(["tar", "-xf", str(archive), "-C", str(files)])
            os.rename(files, place)
        finally:
            await asyncio.to_thread(shutil.rmtree, new, ignore_errors=True)

    async def _git(self, *arguments: str) -> str:
        said = await _run(["git", "-C", str(self._repo), *arguments])
        return said.decode("utf-8", "replace")


def _changed(entry: str) -> ChangedFile:
    added, removed, path = entry.split("\t", 2)
    return ChangedFile(
        path, -1 if added == "-" else int(added), -1 if removed == "-" else int(removed)
    )


async def _run(command: list[str]) -> bytes:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.environ.get("HOME", "/"),
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",  # a commit is what its id says
    }
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise ForgeError(f"cannot run {command[0]}: {error}. Install it.") from error
    except ValueError as error:
        raise ForgeError(f"{command[0]} cannot be asked that: {error}") from error
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise ForgeError(f"{' '.join(command[:4])} did not end within {TIMEOUT_S:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it started
            await process.wait()
    if process.returncode != 0:
        said = err.decode("utf-8", "replace").strip().splitlines()
        raise ForgeError(f"{' '.join(command[:5])}: {said[-1] if said else 'failed'}")
    return out
