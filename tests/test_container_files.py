"""Compose file and Kubernetes manifests follow their schemas, and agree with the image."""

import copy
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose_spec.models import ComposeSpecification, Service
from pydantic import ValidationError

from daemon.settings import Settings
from tests.conftest import ROOT
from tests.docs.test_commands import any_file, line, subcommands

CONTAINER = ROOT / "deploy" / "container"
MANIFESTS = ROOT / "deploy" / "kubernetes"
__all__ = ["any_file"]  # the fixture
OLDEST, NEWEST = "1.27", "1.37"  # of Kubernetes
USER = 10001


@pytest.fixture
def image() -> str:
    return (CONTAINER / "Containerfile").read_text()


@pytest.fixture
def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((MANIFESTS / "gliowatch.yml").read_text()))


@pytest.fixture
def workers() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((MANIFESTS / "workers.yml").read_text()))


@pytest.fixture
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((CONTAINER / "compose.yml").read_text()))


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_manifests_follow_the_schemas(
    manifests: list[dict[str, Any]], workers: list[dict[str, Any]], version: str
) -> None:
    assert {file.name for file in MANIFESTS.iterdir()} == {"gliowatch.yml", "workers.yml"}
    assert [each["kind"] for each in manifests + workers] == ["Service", "StatefulSet"] * 2
    for each in manifests + workers:
        kubernetes_validate.validate(each, version, strict=True)
    wrong = copy.deepcopy(manifests[1])
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def check_compose(compose: dict[str, Any]) -> None:
    """Raises ValidationError, or AssertionError for a key that no service has."""
    ComposeSpecification.model_validate(compose)
    known = {each.alias or name for name, each in Service.model_fields.items()}
    for service in compose["services"].values():
        assert service.keys() <= known


def test_the_compose_file_follows_its_schema(compose: dict[str, Any]) -> None:
    check_compose(compose)
    for key, value in (("read_onli", True), ("ports", 8737), ("stop_grace_period", ["soon"])):
        wrong = copy.deepcopy(compose)
        wrong["services"]["gliowatch"][key] = value
        with pytest.raises((ValidationError, AssertionError)):
            check_compose(wrong)


def test_all_say_the_same(
    image: str, manifests: list[dict[str, Any]], compose: dict[str, Any]
) -> None:
    pod = manifests[1]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert f"\nUSER {USER}:{USER}\n" in image
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == USER
    assert container["securityContext"]["readOnlyRootFilesystem"]
    confined = [(each["read_only"], each["tmpfs"]) for each in compose["services"].values()]
    assert confined == [(True, ["/tmp"])] * 3
    kept = set(re.findall(r"/\w+", re.findall(r"^VOLUME (.*)$", image, re.MULTILINE)[0]))
    assert kept == {"/inbox", "/outbox", "/data"}
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    assert mounted == kept | {"/tmp", "/etc/gliowatch", "/etc/gliowatch-workers"}
    port = Settings().viewer.port
    assert f"\nEXPOSE {port}\n" in image
    assert container["ports"][0]["containerPort"] == port
    for name in ("gliowatch", "demo"):
        service = compose["services"][name]
        places = {str(each).split(":")[1] for each in service["volumes"]}
        assert places == kept | {"/etc/gliowatch/settings.toml"}
        assert str(service["ports"][0]).endswith(f":{port}")


@pytest.mark.usefixtures("any_file")
def test_workers_reach_the_one_that_watches(
    manifests: list[dict[str, Any]], workers: list[dict[str, Any]], compose: dict[str, Any]
) -> None:
    port = 8786
    [watching] = manifests[1]["spec"]["template"]["spec"]["containers"]
    names = {each["name"]: each["containerPort"] for each in watching["ports"]}
    [of_service] = [each for each in manifests[0]["spec"]["ports"] if each["name"] == "workers"]
    assert (of_service["port"], names[of_service["targetPort"]]) == (port, port)
    pod = workers[1]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == watching["image"]
    assert container["securityContext"] == watching["securityContext"]
    here = manifests[1]["spec"]["template"]["spec"]
    assert pod["securityContext"].items() <= here["securityContext"].items()
    secrets = [
        each["secret"]["secretName"]
        for each in here["volumes"] + pod["volumes"]
        if each["name"] == "certificates"
    ]
    assert secrets == ["gliowatch-workers"] * 2
    worker = compose["services"]["worker"]
    for words, service, files in (
        (container["args"], manifests[0]["metadata"]["name"], "/etc/gliowatch-workers"),
        (worker["command"], "gliowatch", "/data/workers"),
    ):
        assert words[:2] == ["worker", f"tls://{service}:{port}"]
        named = parsed(words)
        assert {str(each.parent) for each in named.values() if isinstance(each, Path)} == {files}
        assert named["slots"] * workers[1]["spec"]["replicas"] == 4, "as workers.yml says"
    mounts = [each["mountPath"] for each in (*watching["volumeMounts"], *container["volumeMounts"])]
    assert mounts.count("/etc/gliowatch-workers") == 2
    assert worker["volumes"] == ["./data/workers:/data/workers:ro"]
    assert worker["healthcheck"] == {"disable": True}, "the image's own asks the pages"


def parsed(words: list[str]) -> dict[str, Any]:
    """The values of `gliowatch worker`'s options."""
    command = subcommands(line())["worker"]
    return dict(command.make_context("worker", words[1:]).params)


def test_variables_name_settings(
    image: str, manifests: list[dict[str, Any]], compose: dict[str, Any]
) -> None:
    [container] = manifests[1]["spec"]["template"]["spec"]["containers"]
    named = {each["name"] for each in container["env"]}
    named |= set(compose["services"]["gliowatch"]["environment"])
    named |= set(re.findall(r"GLIOWATCH_\w+(?==)", image))
    assert len(named) == 7
    for name in named:
        table, _, key = name.removeprefix("GLIOWATCH_").lower().partition("__")
        assert key in type(getattr(Settings(), table)).model_fields, name


def test_every_package_of_debian_is_pinned() -> None:
    lines = (CONTAINER / "packages.txt").read_text().split()
    assert all(re.fullmatch(r"[a-z0-9.+-]+=[0-9][\w.+~:-]*", line) for line in lines)
    assert "python3" in {line.partition("=")[0] for line in lines}
