"""The process that stands between the backend and one job, so that the job outlives the backend.

Run by path as `python -I -S shim.py JOB_DIRECTORY`; it needs the standard library only and little
of it. It goes through these steps, each of which leaves a trace that a later backend can read:

1. fork into its own session; the first process waits only for the word that the job is started
2. take an flock on `lock` and write its pid there: held means that a shim is alive
3. write `started` (durable): from here on this job is never run again by anybody
4. run `/bin/sh -c command` in its own process group; store its output in `output`, up to a cap
5. stop all of it on time-out or SIGTERM (the reason is in `cancel`): TERM, after 2 s KILL
6. write `result.json` (durable)

`started` without `result.json` and without the lock: the shim was killed, the job is lost.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time

# Run by path with -S, so the packages beside this one are not on the path; none is needed but ours.
sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from hatchway.runners.shim_job import LINUX, Job, prctl
from hatchway.runners.shim_output import Output

TYPE_CHECKING = False  # typing itself would cost start-up time
if TYPE_CHECKING:
    from typing import Any

STORE_RETRY_S = 600.0  # how long a full disk may keep the result from being stored


def run(directory: str, spec: dict[str, Any], wake: int, told: list[int]) -> dict[str, Any]:
    """The job from its start to its end; `told` has an entry once SIGTERM came."""
    began = time.monotonic()
    if not os.path.isdir(spec["cwd"]):
        return {"status": "no_cwd", "seconds": 0.0}
    if told or os.path.exists(os.path.join(directory, "cancel")):
        return {"status": "cancelled", "seconds": 0.0, "reason": reason(directory)}
    output = Output(os.path.join(directory, "output"), spec["max_output_bytes"])
    job = Job(spec, output, wake)
    deadline = began + spec["timeout_s"]
    stopped = ""
    while not job.ended and not stopped:
        job.turn(deadline - time.monotonic())
        if job.ended:
            break
        if told:
            stopped = "cancelled"
        elif time.monotonic() >= deadline:
            stopped = "timed_out"
    job.clear_out()
    how, number = job.close()
    output.finish()
    return {
        "status": stopped or how,
        "number": number,
        "seconds": time.monotonic() - began,
        "reason": reason(directory) if stopped == "cancelled" else "",
        "output_bytes": output.bytes,
        "dropped_bytes": output.dropped,
        "dropped": output.dropped_in_words() if output.dropped else "",
        "trouble": output.trouble,
        "left": job.left,
    }


def main(directory: str) -> int:
    """Fork; the first process reports on stderr and by its exit status whether the job started."""
    hear, word = os.pipe()
    if os.fork() == 0:
        os.close(hear)
        os._exit(live(directory, word))
    os.close(word)
    said = b""
    while part := os.read(hear, 4096):
        said += part
    if said == b"ok":
        return 0
    os.write(2, said or b"the shim ended before it had started the job")
    return 1


def live(directory: str, word: int) -> int:
    """The shim proper."""
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.chdir("/")
        told: list[int] = []
        wake = listen(told)
        # Held until this process is gone, also by kill -9. Not inherited by the command.
        lock = os.open(
            os.path.join(directory, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        first = take(lock, directory) and not started(directory)
        if first:
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            with open(os.path.join(directory, "spec.json"), "rb") as file:
                spec = json.load(file)
            if LINUX:
                prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what the command abandons comes to us
            store(directory, "started", str(time.time()).encode())
    except Exception as e:
        os.write(word, f"{type(e).__name__}: {e}".encode())
        return 1
    os.write(word, b"ok")
    os.close(word)
    if first:
        try:
            result = run(directory, spec, wake, told)
        except Exception as e:
            result = {"status": "not_run", "reason": f"{type(e).__name__}: {e}", "seconds": 0.0}
        store_patiently(directory, json.dumps(result).encode())
    return 0


def listen(told: list[int]) -> int:
    """Turn signals into a readable descriptor; SIGTERM is noted in `told` too."""
    wake, ring = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(ring, False)
    signal.set_wakeup_fd(ring, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return wake


def take(lock: int, directory: str) -> bool:
    """Take the lock; a backend that looks whether it is held has it for an instant, so try on."""
    until = time.monotonic() + 3.0
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if started(directory) or time.monotonic() >= until:
                return False  # another shim has the job
            time.sleep(0.01)


def started(directory: str) -> bool:
    """Some shim has taken the job, now or earlier."""
    return os.path.exists(os.path.join(directory, "started"))


def store(directory: str, name: str, data: bytes) -> None:
    """Write a file so that after a power cut it is there whole or not at all."""
    part = os.path.join(directory, f"{name}.{os.urandom(6).hex()}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        while data:
            data = data[os.write(fd, data) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(part, os.path.join(directory, name))
    folder = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def store_patiently(directory: str, data: bytes) -> None:
    """A disk that is full now may have room later; until then the job counts as running."""
    until = time.monotonic() + STORE_RETRY_S
    while True:
        try:
            store(directory, "result.json", data)
            return
        except OSError:
            if time.monotonic() >= until or not os.path.isdir(directory):
                return
            time.sleep(0.5)


def reason(directory: str) -> str:
    """Why the job is to stop, from the file `cancel`."""
    try:
        with open(os.path.join(directory, "cancel"), "rb") as file:
            return file.read(4096).decode("utf-8", "replace")
    except OSError:
        return "its shim was told to stop (SIGTERM)"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
