"""What a customer wants to buy."""

from dataclasses import dataclass, field

from shop.pricing import CATALOGUE


@dataclass(frozen=True)
class Line:
    """Some of one product."""

    product: str
    quantity: int

    @property
    def price(self) -> int:
        """In cents."""
        return CATALOGUE[self.product] * self.quantity


@dataclass
class Cart:
    """One line a product, in the order in which the products were first added."""

    lines: list[Line] = field(default_factory=list)

    def add(self, product: str, quantity: int = 1) -> None:
        """Put something in. Raises ValueError for what is not sold, and for no quantity."""
        if product not in CATALOGUE:
            raise ValueError(f"there is no {product}")
        if quantity < 1:
            raise ValueError(f"{quantity} of {product} cannot be bought")
        for number, line in enumerate(self.lines):
            if line.product == product:
                self.lines[number] = Line(product, line.quantity + quantity)
                return
        self.lines.append(Line(product, quantity))

    def remove(self, product: str) -> None:
        """Take this product out."""
        self.lines = [line for line in self.lines if line.product != product]

    @property
    def goods(self) -> int:
        """In cents, without discount and shipping."""
        return sum(line.price for line in self.lines)
