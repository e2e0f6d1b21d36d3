"""`python tests/smoke.py URL`: does an instance that was just deployed do the main things?"""

import http.client
import json
import sys
from urllib.parse import urlsplit

ORDER = {"items": [{"product": "mug", "quantity": 1}]}


def main(url):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    failed = 0
    for method, path, body, key in (
        ("GET", "/healthz", None, "ok"),
        ("GET", "/", None, "products"),
        ("GET", "/cart", None, "total"),
        ("POST", "/checkout", json.dumps(ORDER), "order"),
    ):
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            text = response.read()
            good = response.status == 200 and key in json.loads(text)
            said = f"{response.status} {text[:80].decode(errors='replace')}"
        except (OSError, ValueError, http.client.HTTPException) as error:
            connection.close()
            good, said = False, f"{type(error).__name__}: {error}"
        print(f"{'ok  ' if good else 'FAIL'} {method} {path}" + ("" if good else f"  {said}"))
        failed += not good
    print(f"smoke: {failed} of 4 failed" if failed else "smoke: all 4 are well")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
