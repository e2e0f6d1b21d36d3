"""What things cost, in cents."""

CATALOGUE = {"mug": 1250, "tea": 780, "pot": 3900}
SHIPPING = 490
FREE_SHIPPING_FROM = 5000
CODES = {"SPRING": 10}  # percent off


def discount(goods: int, code: str) -> int:
    """What `code` takes off `goods`; 0 for a code that nobody gave out."""
    return goods * CODES.get(code, 0) // 100


def total(goods: int, code: str = "") -> int:
    """Goods less the discount, plus shipping unless there are goods enough."""
    if goods == 0:
        return 0
    shipping = 0 if goods > FREE_SHIPPING_FROM else SHIPPING
    return goods - discount(goods, code) + shipping
