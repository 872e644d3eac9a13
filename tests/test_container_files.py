"""Compose file and Kubernetes manifests follow their schemas, and agree with the image."""

import copy
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose_spec.models import ComposeSpecification, Service
from pydantic import ValidationError

from daemon.settings import Settings
from tests.conftest import ROOT

CONTAINER = ROOT / "deploy" / "container"
MANIFESTS = ROOT / "deploy" / "kubernetes" / "gliowatch.yml"
OLDEST, NEWEST = "1.27", "1.37"  # of Kubernetes
USER = 10001


@pytest.fixture
def image() -> str:
    return (CONTAINER / "Containerfile").read_text()


@pytest.fixture
def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(MANIFESTS.read_text()))


@pytest.fixture
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((CONTAINER / "compose.yml").read_text()))


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_manifests_follow_the_schemas(manifests: list[dict[str, Any]], version: str) -> None:
    assert [each["kind"] for each in manifests] == ["Service", "StatefulSet"]
    for each in manifests:
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
    services = compose["services"].values()
    assert f"\nUSER {USER}:{USER}\n" in image
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == USER
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert all(each["read_only"] and each["tmpfs"] == ["/tmp"] for each in services)
    kept = set(re.findall(r"/\w+", re.findall(r"^VOLUME (.*)$", image, re.MULTILINE)[0]))
    assert kept == {"/inbox", "/outbox", "/data"}
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    assert mounted == kept | {"/tmp", "/etc/gliowatch"}
    for service in services:
        places = {str(each).split(":")[1] for each in service["volumes"]}
        assert places == kept | {"/etc/gliowatch/settings.toml"}
    port = Settings().viewer.port
    assert f"\nEXPOSE {port}\n" in image
    assert container["ports"][0]["containerPort"] == port
    assert all(str(each["ports"][0]).endswith(f":{port}") for each in services)


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
