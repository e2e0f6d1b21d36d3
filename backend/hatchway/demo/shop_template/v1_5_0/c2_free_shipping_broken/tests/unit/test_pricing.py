from shop.pricing import FREE_SHIPPING_FROM, SHIPPING, discount, total


def test_nothing_costs_nothing():
    assert total(0) == 0


def test_shipping_is_added():
    assert total(1250) == 1250 + SHIPPING


def test_shipping_is_free_from_the_limit_on():
    assert total(FREE_SHIPPING_FROM) == FREE_SHIPPING_FROM
    assert total(FREE_SHIPPING_FROM - 1) == FREE_SHIPPING_FROM - 1 + SHIPPING


def test_a_code_takes_a_part_off_the_goods_and_not_off_the_shipping():
    assert discount(1000, "SPRING") == 100
    assert total(1000, "SPRING") == 900 + SHIPPING


def test_an_unknown_code_is_worth_nothing():
    assert discount(1000, "AUTUMN") == 0
