"""How risky a release is: never less than any of its files."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hatchway.core.plan import RiskRule
from hatchway.core.risk import MANY_FILES, assess, risk_of

RULES = (
    RiskRule("src/*", "LOW", "changes code"),
    RiskRule("api/*", "MEDIUM", "changes the contract"),
    RiskRule("migrations/*", "HIGH", "migrates the database"),
)
ORDER = ("LOW", "MEDIUM", "HIGH")


def test_the_highest_rule_counts_and_says_why() -> None:
    found = assess(["src/a.py", "api/x.yaml", "migrations/119.sql"], RULES)
    assert found.risk == "HIGH"
    assert found.reasons[0] == "HIGH: migrates the database (migrations/119.sql)"
    assert any("migrations/119.sql" in line for line in found.attention)
    assert not any("src/a.py" in line for line in found.attention), "LOW asks for no attention"


def test_what_no_rule_knows_is_medium_and_named() -> None:
    found = assess(["odd/thing", "odd/other"], RULES)
    assert found.risk == "MEDIUM"
    assert "odd/thing and 1 more" in found.reasons[0]


def test_tests_and_documents_are_low() -> None:
    assert assess(["tests/test_a.py", "docs/a.html", "README.md"], RULES).risk == "LOW"
    assert assess([], RULES).reasons == ("LOW: no file changes",)


def test_very_many_files_are_medium() -> None:
    assert assess([f"src/{i}" for i in range(MANY_FILES + 1)], RULES).risk == "MEDIUM"


@given(st.lists(st.sampled_from(["src/a", "api/b", "migrations/c", "odd", "tests/t"])))
def test_a_release_is_never_less_risky_than_one_of_its_files(paths: list[str]) -> None:
    whole = ORDER.index(assess(paths, RULES).risk)
    assert all(ORDER.index(risk_of(path, RULES)) <= whole for path in paths)
