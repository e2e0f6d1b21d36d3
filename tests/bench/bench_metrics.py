"""What a look costs by where it comes from: 3 metrics, 4 instances, real servers.

python tests/bench/bench_metrics.py

Bar: 20 ms of processor time a look (2 % of a core at a look a second), servers not included; and
an event at an instance that is scraped every second is counted within 2.5 s.
"""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from hatchway.core.plan import EndpointSpec, ServiceSpec, TargetSpec
from hatchway.judge.look import Counts
from hatchway.metrics.open import opened
from hatchway.metrics.port import Metrics
from hatchway.metrics.window import Window, look

BAR_CPU_MS = 20.0
BAR_SEEN_S = 2.5
LOOKS = 60


def tools() -> ModuleType:
    """How the tests start targets and servers."""
    path = Path(__file__).parents[1] / "metrics" / "real" / "conftest.py"
    spec = importlib.util.spec_from_file_location("real_servers", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["real_servers"] = module
    spec.loader.exec_module(module)
    return module


async def costs(service: ServiceSpec, metrics: Metrics) -> tuple[float, float, float]:
    """Milliseconds a look (median, p95), and of processor time (mean)."""
    window, took, used = Window(), [], 0.0
    for i in range(LOOKS):
        began, busy = time.perf_counter(), time.process_time()
        scrape = await metrics.look(time.time())
        window, _ = look(service, window, scrape, 5)
        if i >= 5:
            took.append(1000 * (time.perf_counter() - began))
            used += 1000 * (time.process_time() - busy)
            assert not any(page.trouble for page in scrape.pages), scrape.pages
        await asyncio.sleep(0.05)
    took.sort()
    return statistics.median(took), took[int(0.95 * len(took))], used / len(took)


async def seen_after(service: ServiceSpec, metrics: Metrics, event: Callable[[], None]) -> float:
    """Seconds from an event to the look that counts it; ten looks a second."""
    window, at = Window(), None
    while True:
        window, seen = look(service, window, await metrics.look(time.time()), 5)
        sample = seen.samples["errors"]
        if isinstance(sample, Counts):
            if at is None:
                event()
                at = time.monotonic()
            elif sample.canary[1]:
                return time.monotonic() - at
        await asyncio.sleep(0.1)


def main() -> int:
    real = tools()
    targets = [real.Target() for _ in range(4)]
    running, met = [], True
    with tempfile.TemporaryDirectory(prefix="hw-") as place:
        try:
            for target in targets:
                target.start()
                running.append(target.process)
            stable, canary = targets[:2], targets[2:]
            config = "global: {scrape_interval: 1s, scrape_timeout: 900ms}\nscrape_configs:\n- job_name: shop\n  static_configs:\n"
            for track, several in (("stable", stable), ("canary", canary)):
                names = ", ".join(f"'{target.instance}'" for target in several)
                config += f"  - {{targets: [{names}], labels: {{track: {track}}}}}\n"
            endpoints = {
                "pages": EndpointSpec(
                    "app",
                    stable=tuple(target.url for target in stable),
                    canary=tuple(target.url for target in canary),
                )
            }
            for kind in ("prometheus", "victoria-metrics"):
                server = real.start_server(kind, Path(place) / kind, config)
                running.append(server.process)
                real.until(lambda server=server: len(server.ask("up == 1", nocache="1")) == 4, kind)
                endpoints[kind] = EndpointSpec("app", prometheus=server.url, arm_label="track")
            print(f"{'':18}{'median':>9}{'p95':>9}{'processor':>11}{'an event is seen after':>25}")
            for name, endpoint in endpoints.items():
                service = ServiceSpec(
                    name="shop", repo="r", pipeline="p", endpoints=(endpoint,),
                    target=TargetSpec(kind="haproxy", socket="s"), metrics=real.METRICS,
                )  # fmt: skip
                median, p95, cpu = asyncio.run(costs(service, opened(service)))
                seen = [
                    asyncio.run(
                        seen_after(service, opened(service), lambda: canary[0].add(good=1, bad=1))
                    )
                    for _ in range(7)
                ]
                after, worst = statistics.median(seen), max(seen)
                print(
                    f"{name:18}{median:6.1f} ms{p95:6.1f} ms{cpu:8.1f} ms"
                    f"{after:12.2f} s, worst {worst:.2f} s"
                )
                met &= cpu < BAR_CPU_MS and after < BAR_SEEN_S
        finally:
            for process in running:
                real.end(process)
    print(f"bars {BAR_CPU_MS:g} ms and {BAR_SEEN_S:g} s (median): {'met' if met else 'missed'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
