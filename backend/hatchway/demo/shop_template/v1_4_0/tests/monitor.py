"""`python tests/monitor.py URL --seconds 20`: does an instance stay well for a while?

$HATCHWAY_PACE divides the time.
"""

import http.client
import os
import re
import sys
import time
from urllib.parse import urlsplit

EVERY_S = 0.5


def look(connection):
    """Whether it is well, and how many requests it has failed so far."""
    connection.request("GET", "/healthz")
    response = connection.getresponse()
    response.read()
    well = response.status == 200
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    errors = re.findall(r'^http_requests_total\{code="5\d\d"\} (\S+)$', text, re.M)
    return well, sum(map(float, errors))


def main(url, seconds):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    until = time.monotonic() + seconds
    looks, before = 0, None
    while True:
        try:
            well, errors = look(connection)
        except (OSError, http.client.HTTPException) as error:
            print(f"monitor: it does not answer: {error}")
            return 1
        if not well:
            print("monitor: it says that it is not well")
            return 1
        if before is not None and errors > before:
            print(f"monitor: {errors - before:.0f} requests failed")
            return 1
        before, looks = errors, looks + 1
        if time.monotonic() >= until:
            print(f"monitor: well for {seconds:g} s ({looks} looks)")
            return 0
        time.sleep(min(EVERY_S, max(0.0, until - time.monotonic())))


if __name__ == "__main__":
    arguments = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
    pace = float(os.environ.get("HATCHWAY_PACE", "1"))
    sys.exit(main(sys.argv[1], float(arguments.get("--seconds", "20")) / pace))
