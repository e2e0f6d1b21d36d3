import pytest

from shop.cart import Cart


def test_an_empty_cart_costs_nothing():
    assert Cart().goods == 0


def test_lines_are_added_up():
    cart = Cart()
    cart.add("mug", 2)
    cart.add("tea")
    assert cart.goods == 2 * 1250 + 780


def test_a_product_can_be_taken_out():
    cart = Cart()
    cart.add("mug")
    cart.add("tea")
    cart.remove("mug")
    assert [line.product for line in cart.lines] == ["tea"]


def test_equal_products_share_a_line():
    cart = Cart()
    cart.add("mug")
    cart.add("tea")
    cart.add("mug", 2)
    assert [(line.product, line.quantity) for line in cart.lines] == [("mug", 3), ("tea", 1)]


def test_what_is_not_sold_cannot_be_added():
    with pytest.raises(ValueError, match="there is no yacht"):
        Cart().add("yacht")


def test_nothing_of_something_cannot_be_added():
    with pytest.raises(ValueError, match="0 of mug"):
        Cart().add("mug", 0)
