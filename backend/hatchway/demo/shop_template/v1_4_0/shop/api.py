"""The HTTP API without HTTP: a request in, a status and a document out."""

import json
from typing import Any

from shop.cart import Cart
from shop.pricing import CATALOGUE, total

Reply = tuple[int, dict[str, Any]]


def handle(method: str, path: str, body: bytes, order: int) -> Reply:
    """Answer one request. `order` is the number that a new order gets."""
    match method, path:
        case "GET", "/":
            return 200, {"products": CATALOGUE}
        case "GET", "/cart":
            return 200, _cart_of_the_day()
        case "POST", "/checkout":
            return _checkout(body, order)
        case _, "/" | "/cart" | "/checkout":
            return 405, {"error": f"{method} is not for {path}"}
    return 404, {"error": f"there is no {path}"}


def _cart_of_the_day() -> dict[str, Any]:
    cart = Cart()
    cart.add("mug", 2)
    cart.add("tea")
    lines = [{"product": line.product, "quantity": line.quantity} for line in cart.lines]
    return {"lines": lines, "total": _euros(total(cart.goods))}


def _checkout(body: bytes, order: int) -> Reply:
    cart = Cart()
    try:
        document = json.loads(body)
        for item in document["items"]:
            cart.add(item["product"], item["quantity"])
        code = str(document.get("code", ""))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return 422, {"error": f"this is no order: {error}"}
    if not cart.lines:
        return 422, {"error": "this is no order: it has no items"}
    return 200, {"order": order, "total": _euros(total(cart.goods, code))}


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"
