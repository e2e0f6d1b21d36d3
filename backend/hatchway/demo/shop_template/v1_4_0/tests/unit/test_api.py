import json

from shop.api import handle


def checkout(document):
    return handle("POST", "/checkout", json.dumps(document).encode(), 7)


def test_the_catalogue_has_prices():
    status, document = handle("GET", "/", b"", 1)
    assert status == 200
    assert document["products"]["mug"] == 1250


def test_the_cart_has_a_total():
    status, document = handle("GET", "/cart", b"", 1)
    assert status == 200
    assert document["total"] == "37.70"


def test_an_order_is_numbered_and_priced():
    status, document = checkout({"items": [{"product": "mug", "quantity": 1}]})
    assert (status, document) == (200, {"order": 7, "total": "17.40"})


def test_what_is_no_order_is_refused_with_the_reason():
    for body in (b"", b"[]", b'{"items": [{"product": "yacht", "quantity": 1}]}', b'{"items": []}'):
        status, document = handle("POST", "/checkout", body, 1)
        assert status == 422
        assert document["error"].startswith("this is no order")


def test_unknown_paths_and_methods_are_told_apart():
    assert handle("GET", "/yachts", b"", 1)[0] == 404
    assert handle("DELETE", "/cart", b"", 1)[0] == 405
