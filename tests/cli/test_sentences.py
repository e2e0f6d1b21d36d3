"""What `hatchway status` says: whole sentences, whatever a document leaves out."""

from __future__ import annotations

from hatchway.cli.sentences import from_backend


def test_a_metric_that_nobody_judges_is_said_to_be_so() -> None:
    metric = {"name": "errors", "label": "errors", "stable": 0.5, "canary": 0.4, "says": ""}
    docs = {"run/1": {"id": "1", "status": "ended"}, "metrics/1": {"metrics": [metric]}}
    said = [s.text for s in from_backend({"docs": docs}, 0.0)]
    assert "errors: canary 0.4, stable 0.5: not judged now." in said
