"""`notify:` in hatchway.yaml; each mistake with its line and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from hatchway.core.plan import NotifierSpec
from hatchway.settings import ConfigError, load_all

MAIN = "hatchway.yaml"
GOOD = """\
notify:
  oncall:
    command: [my-pager, --json, --json]
    only: [page]
    timeout: 10s
  alerts:
    webhook: http://127.0.0.1:9093/api/v2/alerts
    shape: alertmanager
    token_file: alerts.token
    retry_for: 1h
"""


def write(home: Path, text: str) -> int:
    """Append to the file; the number of the line before."""
    before = (home / MAIN).read_text()
    (home / MAIN).write_text(before + text)
    return before.count("\n")


def test_a_command_and_a_webhook_are_told(home: Path) -> None:
    write(home, GOOD)
    assert load_all(home).installation.notify == (
        NotifierSpec(
            name="oncall",
            command=("my-pager", "--json", "--json"),
            severities=("page",),
            timeout_s=10.0,
        ),
        NotifierSpec(
            name="alerts",
            webhook="http://127.0.0.1:9093/api/v2/alerts",
            shape="alertmanager",
            token_file="alerts.token",
            retry_for_s=3600.0,
        ),
    )


def test_without_it_nobody_is_told(home: Path) -> None:
    assert load_all(home).installation.notify == ()


@pytest.mark.parametrize(
    ("old", "new", "what", "remedy", "line"),
    [
        ("    command: [my-pager, --json, --json]\n", "", 'the notifier "oncall" does not say how it is told', "webhook: https://", 3),
        ("    only: [page]", "    webhook: http://x/", "has both a command and a webhook", "command: [my-pager", 4),
        ("    only: [page]", "    only: [paged]", 'did you mean "page"', "page", 4),
        ("    only: [page]", "    onyl: [page]", 'unknown key "onyl" in the notifier "oncall"; did you mean "only"?', "only", 4),
        ("    only: [page]", "    shape: json", '"shape" belongs to webhook', "no shape", 4),
        ("[my-pager, --json, --json]", "my-pager --json", '"command" takes a list', "command: [my-pager", 3),
        ("http://127.0.0.1:9093/api/v2/alerts", "127.0.0.1:9093", "is not an http address", "webhook: https://", 7),
        ("shape: alertmanager", "shape: slack", 'unknown word "slack"', "json, alertmanager", 8),
        ("retry_for: 1h", "retry_for: 60", '"60" has no unit', "retry_for: 60s", 10),
        ("  oncall:", "  on call:", "a notifier:", "letters, digits", 2),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_what_to_write(
    home: Path, old: str, new: str, what: str, remedy: str, line: int
) -> None:
    assert old in GOOD
    before = write(home, GOOD.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        load_all(home)
    trouble = next(t for t in caught.value.troubles if what in t.what)
    assert remedy in trouble.write
    assert trouble.line == before + line
