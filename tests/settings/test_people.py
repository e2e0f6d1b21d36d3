"""People, what proves who they are, and who is kept apart: read from YAML, mistakes by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatchway.settings.errors import ConfigError
from hatchway.settings.load import check_file, load_installation, load_pipeline, shipped


def written(tmp_path: Path, tail: str) -> Path:
    """The shipped installation with other people and listening."""
    text = (shipped() / "hatchway.yaml").read_text()
    path = tmp_path / "hatchway.yaml"
    path.write_text(text[: text.index("people:")] + tail)
    return path


def pipeline(tmp_path: Path, release: str, build: str = "") -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(
        "pipeline: shop\nservice: shop\nenvironment: prod\nstages:\n"
        f"{build}  - {{name: release, kind: release{release}}}\n"
        "  - {name: canary, kind: canary, steps: [{weight: 100, monitor: 1m, hold_back: 5}]}\n"
    )
    return path


def stage(plan: Any, name: str) -> Any:
    return next(s for s in plan.stages if s.name == name)


def test_people_with_all_that_they_are_known_by(tmp_path: Path) -> None:
    ana, deploy = load_installation(
        written(
            tmp_path,
            "people:\n"
            "  ana: {login: al, roles: [approver], aliases: [al@x.org, Ana L], signed: required}\n"
            "  deploy: {uid: 99, roles: [operator], shared: true}\n"
            "everyone: [viewer]\nallowed_signers: config/signers\n",
        )
    ).people
    assert (ana.aliases, ana.signed, ana.shared) == (("al@x.org", "Ana L"), True, False)
    assert (deploy.uid, deploy.signed, deploy.shared) == (99, False, True)


@pytest.mark.parametrize(
    ("people", "said"),
    [
        ("  ana: {login: a, aliases: [X@y]}\n  luis: {login: l, aliases: [x@Y]}\n", ":%d.*ana"),
        ("  ana: {login: a, aliases: [Luis]}\n  luis: {login: l}\n", ":%d.*alias of .ana"),
        ("  ana: {login: a}\n  luis: {login: l, aliases: [A]}\n", ":%d.*already"),
        ("  ana: {login: a, roles: [agent]}\n", "agent"),
        ("  ana: {login: a, signed: yes}\n", "one of required, optional"),
        ("  ana: {roles: [approver]}\n", "no account"),
    ],
)
def test_names_that_two_people_have_and_other_mistakes_are_refused(
    tmp_path: Path, people: str, said: str
) -> None:
    path = written(tmp_path, f"people:\n{people}")
    last = len(path.read_text().splitlines())
    with pytest.raises(ConfigError, match=said.replace("%d", str(last))):
        load_installation(path)


def test_admin_and_approver_in_one_person_is_noted(tmp_path: Path) -> None:
    path = written(tmp_path, "people:\n  ana: {login: a, roles: [admin, approver]}\n")
    (note,) = check_file(path)
    assert "may change the rules and say yes under them" in str(note)


@pytest.mark.parametrize("listen", ["0.0.0.0:8643", "'[::]:8643'", "192.0.2.7:8643"])
def test_an_address_that_others_can_reach_needs_tls_and_tokens(tmp_path: Path, listen: str) -> None:
    with pytest.raises(ConfigError, match="has no TLS"):
        load_installation(written(tmp_path, f"listen: {listen}\ntoken_file: token\n"))
    tls = f"listen: {listen}\ntls: {{cert: c.pem, key: k.pem}}\n"
    with pytest.raises(ConfigError, match="token_file: token"):
        load_installation(written(tmp_path, tls))
    whole = load_installation(written(tmp_path, f"{tls}token_file: token\n"))
    assert (whole.tls_cert, whole.tls_key) == ("c.pem", "k.pem")


def test_half_a_tls_is_refused_by_line(tmp_path: Path) -> None:
    path = written(tmp_path, "listen: 127.0.0.1:8643\ntoken_file: t\ntls: {cert: c.pem}\n")
    with pytest.raises(ConfigError, match=rf":{len(path.read_text().splitlines())}.*key"):
        load_installation(path)
    with pytest.raises(ConfigError, match="without listen"):
        load_installation(written(tmp_path, "tls: {cert: c.pem, key: k.pem}\n"))


def test_a_release_says_how_many_who_and_how_proven(tmp_path: Path) -> None:
    more = ", approvals: {LOW: 1, HIGH: 2}, separation: [author], signed: true, listed: true"
    release = stage(load_pipeline(pipeline(tmp_path, more)), "release")
    assert (release.approvals, release.approvals_by_risk) == (2, {"LOW": 1, "HIGH": 2})
    assert (release.separation, release.signed, release.listed) == (("author",), True, True)
    plain = stage(load_pipeline(pipeline(tmp_path, "")), "release")
    assert plain.separation == ("author", "pusher", "requester")
    assert (plain.approvals, plain.approvals_by_risk, plain.signed) == (1, {}, False)


@pytest.mark.parametrize(
    "release",
    [
        ", approvals: {HIHG: 2}",
        ", approvals: {HIGH: 0}",
        ", approvals: many",
        ", separation: [agent]",
        ", signed: maybe",
    ],
)
def test_mistakes_of_a_release_stage_are_refused(tmp_path: Path, release: str) -> None:
    with pytest.raises(ConfigError, match=r"shop\.yaml:5"):
        load_pipeline(pipeline(tmp_path, release))


def test_only_a_build_makes_an_artifact_and_in_its_own_place(tmp_path: Path) -> None:
    build = "  - {{name: b, kind: {}, artifact: {}, steps: [{{make: make}}]}}\n"
    good = load_pipeline(pipeline(tmp_path, "", build.format("build", "dist/a.tar")))
    assert stage(good, "b").artifact == "dist/a.tar"
    for bad in (("tests", "dist/a"), ("build", "/etc/passwd"), ("build", "../a")):
        with pytest.raises(ConfigError, match="artifact"):
            load_pipeline(pipeline(tmp_path, "", build.format(*bad)))
