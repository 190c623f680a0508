"""The Helm chart: its values fit its schema, what it makes is whole and hardened, and helm agrees.

Its templates keep to what the few lines of `rendered` understand, so that they can be judged without helm, too.
"""

import copy
import hashlib
import json
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from registry.settings import RegistrySettings
from resolver.settings import ResolverSettings, StatusSettings
from tests.judges.helm import IS_HERE, helm

CHART = Path(__file__).parents[1] / "deploy" / "helm" / "filament"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
SCHEMA = json.loads((CHART / "values.schema.json").read_text("utf-8"))
ABOUT = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
RELEASE = {"Name": "node", "Service": "Helm"}
EXPRESSION = re.compile(r"\{\{ (.+?) \}\}")
LINE = re.compile(r"^\s*\{\{- (.+?) \}\}$")


def value_of(path: str, values: dict[str, Any]) -> Any:
    found: Any = {"Values": values, "Release": RELEASE}
    for name in path.removeprefix(".").split("."):
        found = found[name]
    return found


def evaluated(expression: str, values: dict[str, Any]) -> str:
    first, *functions = expression.split(" | ")
    function, _, path = first.rpartition(" ")
    found = value_of(path, values)
    assert function in ("", "toYaml"), expression
    text = yaml.safe_dump(found, sort_keys=True).rstrip("\n") if function else str(found)
    for function in functions:
        name, _, argument = function.partition(" ")
        match name:
            case "nindent":
                text = "".join(f"\n{' ' * int(argument)}{line}" for line in text.splitlines())
            case "sha256sum":
                text = hashlib.sha256(text.encode()).hexdigest()
            case "quote":
                text = json.dumps(text)
            case _:
                raise AssertionError(expression)
    return text


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """What the chart makes of these values, document by document."""
    documents = []
    for template in sorted((CHART / "templates").glob("*.yaml")):
        lines: list[str] = []
        shown = [True]
        for line in template.read_text("utf-8").splitlines():
            words = LINE.match(line)
            if words and words[1].startswith("if "):
                shown.append(shown[-1] and bool(value_of(words[1][3:], values)))
            elif words and words[1] == "end":
                shown.pop()
            elif shown[-1]:
                lines += (evaluated(words[1], values) if words else replaced(line, values)).strip("\n").splitlines()
        assert shown == [True], template
        documents += [document for document in yaml.safe_load_all("\n".join(lines)) if document]
    return documents


def replaced(line: str, values: dict[str, Any]) -> str:
    return EXPRESSION.sub(lambda found: evaluated(found[1], values), line)


def of_kind(kind: str, values: dict[str, Any] = VALUES) -> dict[str, dict[str, Any]]:
    found = [document for document in rendered(values) if document["kind"] == kind]
    return {document["metadata"]["name"]: document for document in found}


def changed(path: str, value: Any) -> dict[str, Any]:
    values = copy.deepcopy(VALUES)
    *outer, last = path.split(".")
    inside = values
    for name in outer:
        inside = inside[name]
    inside[last] = value
    return values


def containers(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    pod = deployment["spec"]["template"]["spec"]
    return pod.get("initContainers", []) + pod["containers"]


def test_the_values_that_are_shipped_fit_the_schema():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA)
    assert ABOUT["appVersion"] == VALUES["image"]["tag"] == version("filament-node")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("resolver.replicas", 0),
        ("resolver.service", "ClusterIP"),
        ("resolver.worker", 2),
        ("database.secret", "Not A Name"),
        ("settings", {"FILAMENT_PORT": "1"}),
        ("settings", {"FILAMENT_RESOLVER_PORT": 1}),
        ("settings", {"FILAMENT_RESOLVER_PORT": "1"}),
        ("state.size", "much"),
        ("prober.options", "--write"),
    ],
)
def test_values_that_mean_nothing_are_refused(path, value):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed(path, value), SCHEMA)


def test_every_container_runs_without_rights_and_knows_the_database():
    for name, deployment in of_kind("Deployment").items():
        assert deployment["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"], name
        for container in containers(deployment):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"]
            assert not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]}
            (dsn,) = [one for one in container["env"] if one["name"] == "FILAMENT_REGISTRY_DSN"]
            assert dsn["valueFrom"]["secretKeyRef"] == {"name": "filament-dsn", "key": "dsn"}
            assert container["envFrom"] == [{"configMapRef": {"name": "node-settings"}}]


def test_a_service_reaches_the_pods_and_ports_that_it_names():
    deployments = of_kind("Deployment")
    for name, service in of_kind("Service").items():
        template = deployments[name]["spec"]["template"]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        assert deployments[name]["spec"]["selector"]["matchLabels"] == service["spec"]["selector"]
        offered = {port["name"]: port for one in template["spec"]["containers"] for port in one["ports"]}
        for port in service["spec"]["ports"]:
            there = offered[port["targetPort"]]
            assert there["containerPort"] == port["port"]
            assert there.get("protocol", "TCP") == port.get("protocol", "TCP")


def test_ports_are_those_of_the_settings():
    offered = {
        port["containerPort"]
        for deployment in of_kind("Deployment").values()
        for container in containers(deployment)
        for port in container.get("ports", ())
    }
    resolver = ResolverSettings()
    assert offered == {resolver.port, resolver.native_port, RegistrySettings().port, StatusSettings().port}


def test_what_is_mounted_is_claimed():
    claims = of_kind("PersistentVolumeClaim")
    for deployment in of_kind("Deployment").values():
        volumes = {volume["name"]: volume for volume in deployment["spec"]["template"]["spec"]["volumes"]}
        assert volumes["state"]["persistentVolumeClaim"]["claimName"] in claims
        for container in containers(deployment):
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()


def test_what_is_chosen_is_made():
    assert "node-prober" in of_kind("Deployment")
    assert "node-prober" not in of_kind("Deployment", changed("prober.enabled", False))
    measured = of_kind("Deployment", changed("prober.options", ["--handle", "88.168.1/PROBE"]))["node-prober"]
    (prober,) = containers(measured)
    assert prober["args"] == ["--handle", "88.168.1/PROBE"]
    assert "node-resolver" in prober["command"]
    values = changed("settings", {"FILAMENT_RESOLVER_PUBLIC_ADDRESS": "192.0.2.1"})
    assert of_kind("ConfigMap", values)["node-settings"]["data"]["FILAMENT_RESOLVER_PUBLIC_ADDRESS"] == "192.0.2.1"
    # Pods of the old settings must not stay.
    stamps = {
        made["node-resolver"]["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]
        for made in (of_kind("Deployment"), of_kind("Deployment", values))
    }
    assert len(stamps) == 2
    claim = of_kind("PersistentVolumeClaim", changed("state.storageClass", "shared"))["node-state"]
    assert claim["spec"]["storageClassName"] == "shared"
    assert "storageClassName" not in of_kind("PersistentVolumeClaim")["node-state"]["spec"]


@pytest.mark.judge
@pytest.mark.timeout(400)
@pytest.mark.skipif(not IS_HERE, reason="helm is taken from a package for Linux on x86_64")
def test_helm_finds_no_fault_and_makes_the_same():
    program = helm()
    linted = subprocess.run([program, "lint", "--strict", CHART], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    made = subprocess.run([program, "template", "node", CHART], capture_output=True, text=True, check=True).stdout

    theirs = [document for document in yaml.safe_load_all(made) if document]
    assert named(theirs) == named(rendered(VALUES))


def named(documents: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Without the hash of the settings, whose YAML helm writes in its own way."""
    for document in documents:
        if document["kind"] == "Deployment":
            del document["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}
