import json
from pathlib import Path

ORDER = {"items": [{"product": "tea", "quantity": 2}], "code": "SPRING"}


def test_it_says_that_it_is_well_and_which_version_it_is(shop):
    status, text = shop.call("GET", "/healthz")
    assert status == 200
    assert json.loads(text)["version"] == Path("VERSION").read_text().strip()


def test_an_order_goes_through_and_is_counted(shop):
    status, text = shop.call("POST", "/checkout", ORDER)
    assert status == 200
    assert json.loads(text)["total_cents"] == 1894
    metrics = shop.call("GET", "/metrics")[1]
    assert "\nshop_orders_total 1.0\n" in metrics
    assert 'http_requests_total{code="500"} 0.0' in metrics


def test_a_bad_order_is_refused(shop):
    assert shop.call("POST", "/checkout", {"items": [{"product": "yacht"}]})[0] == 422
