"""`python -m shop --port 8080`: run the shop until SIGTERM."""

import argparse
import asyncio
import contextlib
import gc
import os
import signal

from shop import __version__
from shop.faults import Faults, listen
from shop.server import Connection, Shop

GRACE_S = 1.0


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="shop", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--arm", default="stable", help="what this instance is called")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--error-rate", type=float, default=0.0, help="share that fails, 0..1")
    parser.add_argument("--work-ms", type=float, default=0.0, help="median time of a request")
    parser.add_argument("--control", default="", help="Unix socket that switches faults")
    parser.add_argument("--lifeline", type=int, default=-1, help="end when this file ends")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    if options.lifeline >= 0:
        loop.add_reader(options.lifeline, _lost, options.lifeline, stop)
    faults = Faults(set(), options.error_rate, f"{options.seed} {options.arm}")
    shop = Shop(faults, options.work_ms / 1000)
    if options.control:
        control = await listen(faults, options.control)
    else:
        control = None
    server = await loop.create_server(lambda: Connection(shop), "127.0.0.1", options.port)
    port = server.sockets[0].getsockname()[1]
    print(f"shop {__version__} ({options.arm}) on http://127.0.0.1:{port}", flush=True)
    gc.collect()
    gc.freeze()
    await stop.wait()
    shop.stopping = True
    server.close()
    if control is not None:
        control.close()
    until = loop.time() + GRACE_S
    while shop.busy() and loop.time() < until:
        await asyncio.sleep(0.01)
    for connection in tuple(shop.connections):
        connection.close()


def _lost(lifeline: int, stop: asyncio.Event) -> None:
    """Whoever started this shop is gone when the other end of the pipe is closed."""
    if not os.read(lifeline, 1):
        asyncio.get_running_loop().remove_reader(lifeline)
        stop.set()


main()
