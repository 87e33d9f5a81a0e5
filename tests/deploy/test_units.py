"""What starts the service: units, the compose file and manifests, each by a tool that knows it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from entrypoints.settings import Settings
from tests.deploy.programs import DEPLOY, program, run

UNITS = ("nuovo.service", "nuovo-purge.service", "nuovo-purge.timer")
MANIFESTS = ("migrate.yaml", "nuovo.yaml")
MAX_EXPOSURE = 1.5
"""Of 10, as `systemd-analyze security` reckons it. Most of what is left is the network, which it serves."""


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong(unit: str, tmp_path: Path) -> None:
    """With the program in a place where it is."""
    nuovo = tmp_path / "nuovo"
    nuovo.write_text("#!/bin/sh\n", encoding="utf-8")
    nuovo.chmod(0o755)
    for each in UNITS:
        text = (DEPLOY / "systemd" / each).read_text(encoding="utf-8")
        (tmp_path / each).write_text(text.replace("/opt/nuovo/bin/nuovo", str(nuovo)), encoding="utf-8")
    assert run(program("systemd-analyze"), "verify", "--man=no", str(tmp_path / unit)) == ""


@pytest.mark.parametrize("unit", ["nuovo.service", "nuovo-purge.service"])
def test_a_service_may_do_little(unit: str) -> None:
    said = run(program("systemd-analyze"), "security", "--offline=true", str(DEPLOY / "systemd" / unit))
    exposure = re.search(r"Overall exposure level for \S+ (\d+\.\d+)", said)
    assert exposure is not None
    assert float(exposure[1]) <= MAX_EXPOSURE, said


def test_both_services_may_do_equally_little() -> None:
    hardening = [
        {
            line
            for line in text.splitlines()
            if re.match(r"(Protect|Private|Restrict|System|Capability|NoNew|Memory|Lock)", line)
        }
        for text in ((DEPLOY / "systemd" / unit).read_text(encoding="utf-8") for unit in UNITS[:2])
    ]
    assert hardening[0] == hardening[1]
    assert len(hardening[0]) > 20


def test_compose_understands_its_file(tmp_path: Path) -> None:
    """By Debian's `docker-compose`. It is not started: that takes a registry."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    folder = tmp_path / "deploy/compose"
    for name in ("nuovo.env", "postgres.env"):
        shutil.copy(folder / f"{name}.example", folder / name)
    services = yaml.safe_load(run(program("docker-compose"), "config", folder=folder))["services"]

    assert set(services) == {"postgres", "migrate", "serve", "purge", "nginx"}
    for name in ("migrate", "serve", "purge"):
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
    assert services["purge"]["healthcheck"]["test"] == ["NONE"], "the image's asks for a service"
    for volume in services["nginx"]["volumes"]:
        source, target = volume.split(":")[:2]
        if target.startswith("/etc/nginx"):
            assert Path(source).resolve().is_relative_to(tmp_path / "deploy/nginx")
            assert Path(source).is_file()


def test_only_settings_of_nuovo_are_set() -> None:
    known = {f"NUOVO_{name.upper()}" for name in Settings.model_fields}
    texts = [
        path.read_text(encoding="utf-8") for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".conf"
    ]
    named = {name.removesuffix("_FILE") for text in texts for name in re.findall(r"NUOVO_[A-Z_]+", text)}
    assert named - {"NUOVO_"} <= known


def documents() -> Iterator[dict[str, Any]]:
    for name in MANIFESTS:
        yield from yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text(encoding="utf-8"))


@pytest.mark.filterwarnings("ignore::EncodingWarning:kubernetes_validate")
@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_knows_every_field(name: str) -> None:
    """By the schemas of its own API, strictly: a field that it does not know is an error."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for document in yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text(encoding="utf-8")):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_pods_stay_below_the_restricted_standard() -> None:
    """Of Kubernetes' Pod Security Standards, and what they hold is the same image."""
    pods = [document["spec"]["jobTemplate"] if document["kind"] == "CronJob" else document for document in documents()]
    specs = [pod["spec"]["template"]["spec"] for pod in pods if "template" in pod.get("spec", {})]
    assert len(specs) == 3
    images = set()
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"]
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not spec["automountServiceAccountToken"]
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            images.add(container["image"])
    assert len(images) == 1


def test_what_selects_pods_selects_those_that_serve() -> None:
    by_kind = {document["kind"]: document for document in documents()}
    labels = by_kind["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert by_kind["Deployment"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert by_kind["Service"]["spec"]["selector"].items() <= labels.items()
    assert by_kind["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert by_kind["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
