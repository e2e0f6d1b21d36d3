"""Every mistake is named with its line and with what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hatchway.settings import ConfigError, Trouble, load_all

Edit = Callable[[str, str, str], int]
MAIN, POLICY, SHOP = "hatchway.yaml", "policy.yaml", "pipelines/shop.yaml"


def troubles(home: Path) -> tuple[Trouble, ...]:
    with pytest.raises(ConfigError) as caught:
        load_all(home)
    return caught.value.troubles


# (file, what is replaced, with what, words of the message, words of the remedy, lines further down)
MISTAKES = [
    # unknown keys and words, with the nearest
    (SHOP, "monitor: 5m", "moniter: 5m", 'unknown key "moniter" in a canary step; did you mean "monitor"?', "monitor", 0),
    (SHOP, "kind: scan", "kind: scann", 'unknown word "scann"; did you mean "scan"?', "kind: scan", 0),
    (SHOP, "risk: MEDIUM", "risk: medium", 'unknown word "medium"; did you mean "MEDIUM"?', "risk: MEDIUM", 0),
    (SHOP, "approvals: 1", "aprovals: 1", 'did you mean "approvals"?', "approvals: 1", 0),
    (MAIN, "everyone: [operator, approver]", "everyone: [operater]", 'did you mean "operator"?', "operator", 0),
    (MAIN, "    target:", "    traget:", 'unknown key "traget" in the service "shop"; did you mean "target"?', "target", 0),
    (MAIN, "kind: latency", "kind: latencies", 'did you mean "latency"?', "kind: latency", 0),
    (MAIN, "kind: haproxy", "kind: nginx", 'unknown word "nginx"', "haproxy", 0),
    (POLICY, "      rollback:", "      rolback:", 'unknown capability "rolback"; did you mean "rollback"?', "rollback", 0),
    (POLICY, "stable_healthy: true", "stable_health: true", 'unknown condition "stable_health"; did you mean "stable_healthy"?', "stable_healthy", 0),
    (POLICY, "verdict: [REGRESS]", "verdict: [REGRES]", 'did you mean "REGRESS"?', "REGRESS", 0),
    (POLICY, "mode: recommend  ", "mode: auto  ", 'unknown word "auto"', "recommend", 0),
    # durations
    (SHOP, "budget: 3m", "budget: 3", '"3" has no unit', "budget: 3s, 3m or 3h", 0),
    (SHOP, "budget: 3m", "budget: 5 mins", '"5 mins": the units are s, m, h and d', "budget: 5m", 0),
    (SHOP, "budget: 3m", "budget: 1.5h", '"1.5h"', "budget: 5400s", 0),
    (SHOP, "budget: 3m", "budget: 500ms", "the smallest unit is s", "budget: 0.5s", 0),
    (SHOP, "budget: 3m", "budget: soon", "this is not a duration", "30s", 0),
    (SHOP, "budget: 3m", "budget: -3m", "this is not a duration", "30s", 0),
    (SHOP, "budget: 3m", "budget: 0s", "0s is not between 1s and", "budget: 60s", 0),
    (SHOP, "budget: 3m", "budget: 5000d", "not between", "budget: 60s", 0),
    (SHOP, "budget: 3m", "budget: [3m]", '"budget" takes one value, found a list', "budget: 60s", 0),
    (POLICY, "          verdict: [PASS]\n          data_age_below: 10s", "          verdict: [PASS]\n          data_age_below: 10", '"10" has no unit', "10s", 1),
    # numbers, flags, texts
    (SHOP, "approvals: 1", "approvals: one", '"one" is not a whole number', "approvals: 1", 0),
    (SHOP, "approvals: 1", "approvals: 0", "0 is not between 1 and 10", "approvals: 1", 0),
    (SHOP, "approvals: 1", "approvals: 99999999999999999999999", "is not a whole number", "approvals: 1", 0),
    (SHOP, "excludes: 10", "excludes: .inf", '".inf" is not a number', "excludes: 2", 0),
    (SHOP, "excludes: 10", "excludes: 1", "1 is not between 1.01 and 1000", "excludes: 2", 0),
    (MAIN, "limit: 300", 'limit: "300"', "is not a number", "limit: 300", 0),
    (MAIN, "limit: 300", "limit: .nan", '".nan" is not a number', "limit: 300", 0),
    (MAIN, "shared: true", "shared: yes", '"yes" is neither true nor false', "true or false", 0),
    (MAIN, "quantile: 0.95", "quantile: 95", "95 is not between 0.5 and 0.999", "quantile: 0.95", 0),
    (MAIN, "name: demo", "name: ../demo", '"../demo" cannot be a name', "letters, digits", 0),
    (MAIN, "label: errors", 'label: "err\\u202eors"', "invisible character U+202E", "label: errors", 0),
    (SHOP, "lint: ruff check --no-cache shop tests", 'lint: "\\e[2J"', "invisible character U+001B", "a command", 0),
    (SHOP, "why: migrates the database", "why:", '"why" is missing in a risk rule', "why: ", 0),
    # shapes
    (SHOP, "stages:\n", "stages: checks\nmore:\n", '"stages" takes a list, found "checks"', "stages: ", 0),
    (SHOP, "      code: ruff check --no-cache --select S shop", "      code: [ruff]", '"code" takes a command, found a list', "code: make", 0),
    (SHOP, "      - start: python -m hatchway.demo.deploy canary", "      - python -m hatchway.demo.deploy", '"deploy" lists name: command', "- build: make", 0),
    (SHOP, "    parallel:\n      code: ruff check --no-cache --select S shop", "    budgets: 3s", 'unknown key "budgets" in a scan stage', "one of parallel, steps", 0),
    (MAIN, "services:\n", "services: []\nservice:\n", '"services" takes a mapping, found a list', "services: ", 0),
    # stages that cannot work
    (SHOP, "  - name: integration\n", "  - name: checks\n", 'two stages are named "checks"', "another name", 0),
    (SHOP, "- smoke: ", "- deploy: ", 'two commands of the stage are named "deploy"', "another name", 0),
    (SHOP, "      - weight: 25", "      - weight: 5", "weight 5 after 5: weights rise", "a weight above 5", 0),
    (SHOP, "weight: 100\n        hold_back: 5", "weight: 90\n        hold_back: 5", "the last weight is 90, not 100", "weight: 100", 0),
    (SHOP, "on_unsure: extend 2", "extend: 10m", '"extend" is now "at_most"', "at_most: 15m", 0),
    (SHOP, "on_unsure: extend 2", "extend: much", '"extend" is now "at_most"', "at_most: 10m", 0),
    (SHOP, "on_unsure: extend 2", "on_unsure: extend", '"extend" is not extend and how many times', "on_unsure: extend 2", 0),
    (SHOP, "on_unsure: extend 2", "on_unsure: extend 0", '"extend 0" is not extend and how many', "on_unsure: extend 2", 0),
    (SHOP, "on_unsure: extend 2", "on_unsure: wait", 'unknown word "wait"', "on_unsure: extend 2, ask or hold", 0),
    (SHOP, "on_unsure: extend 2", "on_unsure: [ask]", '"on_unsure" takes one value, found a list', "on_unsure: ask", 0),
    (SHOP, "on_unsure: extend 2", "advance: soon", 'unknown word "soon"', "early", 0),
    (SHOP, "on_unsure: extend 2", "at_most: 5m", "at_most 5m leaves nothing after monitor, 5m", "at_most: 15m", 0),
    (SHOP, "weight: 5\n", "weight: 5\n        hold_back: 5\n", "hold_back 5 leaves nothing of 5", "a smaller one", 1),
    (SHOP, "weight: 5\n", "weight: 0\n", "0 is not between 1 and 100", "weight: 5", 0),
    (SHOP, "weight: 100\n", "weight: 105\n", "105 is not between 1 and 100", "weight: 5", 0),
    (SHOP, "code: ruff check --no-cache --select S shop", "code: {run: ruff, timeout: 5m}", "longer than the budget, 1m", "timeout: 1m", 0),
    (SHOP, "code: ruff check --no-cache --select S shop", "code: {timeout: 5s}", 'the command "code" has no run', "run: ", 0),
    (SHOP, "    parallel:\n      code:", "    steps: [{x: make}]\n    parallel:\n      code:", '"parallel" and "steps" in one stage', "steps", 0),
    # files that do not fit together
    (SHOP, "service: shop", "service: ship", 'names this pipeline for "shop", not "ship"', "service: shop", 0),
    (SHOP, "environment: prod", "environment: test", 'hatchway.yaml is for "prod"', "environment: prod", 0),
    (POLICY, "  prod:\n", "  prodd:\n", 'does not name the environment "prod"; did you mean "prodd"?', "prodd", None),
    (MAIN, "pipeline: pipelines/shop.yaml", "pipeline: pipelines/shp.yaml", 'there is no file "pipelines/shp.yaml"', "pipelines/shop.yaml", 0),
    # metrics
    (MAIN, "source: edge", "source: edgy", 'there is no endpoint "edgy"; did you mean "edge"?', "edge", 0),
    (MAIN, 'code="5xx"', 'code!="5xx"', '"!=" is not read', 'code=~"one|other"', 0),
    (MAIN, 'code="5xx"', 'code=~"5.*"', 'the label "code" has a pattern', 'code=~"one|other"', 0),
    (MAIN, 'code="5xx"', "code=5xx", 'label 1 is not label="value"', "name{", 0),
    (MAIN, 'total: http_request_duration_seconds', 'total: rate(x[5m])', "only {labels} may follow", "name{", 0),
    (MAIN, "kind: gauge", "kind: gauge\n        events: x", '"events" belongs to kind: counts, not to gauge', "no events", 1),
    (MAIN, "kind: gauge", "kind: gauge\n        quantile: 0.9", '"quantile" belongs to kind: latency', "no quantile", 1),
    (MAIN, "arm_label: server", "", '"both" needs the label', "arm_label: server", -1),
    (MAIN, "http://127.0.0.1:8100/metrics", "file:///etc/passwd", "is not an http address", "http://", 0),
    (MAIN, "canary: canary", "canary: stable", "stable and canary are the same server", "canary: canary", 0),
    # people and the network
    (MAIN, "people:\n", "people:\n  ana: {login: ana, roles: [boss]}\n", 'unknown word "boss"', "one of viewer, operator", 1),
    (MAIN, "people:\n", "people:\n  ana: {roles: [viewer]}\n", '"ana" has no account', "login: ana", 1),
    (MAIN, "people:\n", "people:\n  ana: {login: a}\n  bob: {login: a}\n", 'two people have the login "a"', "one of them", 2),
    (MAIN, "people:\n", "listen: 0.0.0.0:8643\ntoken_file: t\npeople:\n", '"0.0.0.0" can be reached from other machines', "127.0.0.1:8643", 0),
    (MAIN, "people:\n", "listen: 127.0.0.1:8643\npeople:\n", "every account of this machine", "token_file", 0),
    (MAIN, "people:\n", "listen: 8643\npeople:\n", '"8643" is not address:port', "127.0.0.1:8643", 0),
    # a policy that would open too much
    (POLICY, "          verdict: [PASS]\n", "", "promote by itself only stands on the verdict PASS", "verdict: [PASS]", 0),
    (POLICY, "verdict: [PASS]", "verdict: [PASS, UNSURE]", "promote by itself only stands on the verdict PASS", "answer: ask", 0),
    (POLICY, "      page:\n        answer: auto", "      page:\n        answer: deny", "page is always allowed", "answer: auto", 1),
    (POLICY, "      block_deploy:\n        answer: auto", "      block_deploy:\n        answer: ask\n        when: {control: agent}", '"when" goes with answer: auto, not with ask', "no when", 2),
    (POLICY, "version: 1", "version: 2", "2 is not between 1 and 1", "version: 1", 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "old", "new", "what", "write", "down"),
    MISTAKES,
    ids=[repr(m[2])[:40] for m in MISTAKES],
)
def test_a_mistake_is_named_with_its_line_and_a_remedy(
    home: Path, edit: Edit, file: str, old: str, new: str, what: str, write: str, down: int | None
) -> None:
    line = edit(file, old, new)
    found = troubles(home)
    named = [t for t in found if what in t.what]
    assert named, f"not said; instead:\n{chr(10).join(map(str, found))}"
    assert write in named[0].write
    if down is None:
        return
    assert named[0].file == str(home / file)
    assert named[0].line == line + down, str(named[0])


def test_a_message_reads_as_promised(home: Path, edit: Edit) -> None:
    line = edit(SHOP, "monitor: 5m", "moniter: 5m")
    unknown = next(t for t in troubles(home) if "unknown" in t.what)
    assert str(unknown).splitlines() == [
        f'{home / SHOP}:{line}: unknown key "moniter" in a canary step; did you mean "monitor"?',
        "  write: monitor: 5m",
    ]


def test_everything_wrong_in_all_files_is_said_at_once(home: Path, edit: Edit) -> None:
    edit(SHOP, "budget: 3m", "budget: 3")
    edit(SHOP, "approvals: 1", "approvals: none")
    edit(POLICY, "version: 1", "version: one")
    edit(MAIN, "quantile: 0.95", "quantile: p95")
    found = troubles(home)
    assert len(found) == 4
    assert {Path(t.file).name for t in found} == {"shop.yaml", "policy.yaml", "hatchway.yaml"}
    assert len(str(ConfigError(found)).splitlines()) == 8


def test_a_metric_that_counts_needs_its_events(home: Path, edit: Edit) -> None:
    edit(MAIN, "        events: shop_orders_total\n", "")
    assert troubles(home)[0].what == '"events" is missing in the metric "orders"'


def test_what_is_right_beside_a_mistake_is_not_complained_about(home: Path, edit: Edit) -> None:
    edit(SHOP, "- weight: 25", "- wieght: 25")
    found = troubles(home)
    assert [t.what.split(";")[0] for t in found] == [
        'unknown key "wieght" in a canary step',
    ]
