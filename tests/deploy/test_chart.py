"""The chart: lint, schema, every manifest against the schemas of Kubernetes, and what no schema knows."""

import json
import re
import tomllib
from pathlib import Path

import helm_python as helm
import kubernetes_validate
import pytest
import yaml

from chart import CASES, PATH, ROOT, chart, containers, manifests, of_kind, ours, pods, render, values

# The oldest that Chart.yaml allows, and newer ones.
KUBERNETES = ["1.29", "1.33", "1.37"]
CUSTOM = {"HTTPRoute", "PrometheusRule", "ServiceMonitor"}
ROLES = {"gateway", "chat", "token-pool", "media-cache", "config"}


@pytest.mark.parametrize("case", CASES)
def test_helm_lint_finds_nothing(case):
    report = helm.lint(PATH, values(case), strict=True, namespace="chat", kube_version="v1.30.0")
    assert report["errors"] == []
    assert [m for m in report["messages"] if m["error"] != "icon is recommended"] == []


@pytest.mark.parametrize("case", CASES)
def test_values_fit_their_schema(case):
    chart().validate_schema(chart().merge_values(values(case)))


def test_every_value_has_its_place_in_the_schema_and_the_other_way_round():
    schema = json.loads((PATH / "values.schema.json").read_text())

    def walk(given, node, path):
        node = schema["$defs"][node["$ref"].split("/")[-1]] if "$ref" in node else node
        if "properties" not in node:
            return
        missing = set(node["properties"]) - set(given) - {"global"}
        assert not missing, f"{path}: {missing} stand in the schema and not in values.yaml"
        for key, value in given.items():
            assert key in node["properties"], f"{path}.{key} is not in the schema"
            if isinstance(value, dict):
                walk(value, node["properties"][key], f"{path}.{key}")

    walk(yaml.safe_load((PATH / "values.yaml").read_text()), schema, "")


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("case", CASES)
def test_every_manifest_is_valid(case, version):
    for one in manifests(case):
        if one["kind"] not in CUSTOM:
            kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("case", CASES)
def test_custom_resources_are_valid(case, node):
    found = of_kind(manifests(case), *CUSTOM)
    if found:
        node(Path(__file__).parent / "node/crds.mjs", text=json.dumps(found))


def test_a_wrong_custom_resource_is_noticed(node):
    [route] = of_kind(manifests("redis"), "HTTPRoute")
    for wrong in [{"timeout": {"request": "0s"}}, {"timeouts": {"request": "soon"}}]:
        broken = json.dumps([{**route, "spec": {**route["spec"], "rules": [wrong]}}])
        with pytest.raises(AssertionError, match="HTTPRoute"):
            node(Path(__file__).parent / "node/crds.mjs", text=broken)


@pytest.mark.parametrize("case", CASES)
def test_pods_keep_to_the_restricted_standard(case):
    for name, spec in pods(manifests(case)):
        assert spec["automountServiceAccountToken"] is False, name
        security = spec["securityContext"]
        assert security["runAsNonRoot"] and security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        for volume in spec.get("volumes", []):
            assert set(volume) - {"name"} <= {"emptyDir", "secret", "projected", "persistentVolumeClaim"}, name
        for container in containers(spec):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}, name
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            claimed = {one["name"] for one in spec.get("volumes", [])} | {"data"}
            assert mounted <= claimed, name


def test_every_role_has_all_that_belongs_to_it():
    found = manifests("redis")
    scaled = {"gateway"}
    for kind, roles in {
        "Deployment": ROLES, "ServiceAccount": ROLES, "PodDisruptionBudget": ROLES, "ServiceMonitor": ROLES,
        "NetworkPolicy": ROLES | {"migrate"}, "HorizontalPodAutoscaler": scaled, "Service": ROLES,
    }.items():
        names = {one["metadata"]["name"].removeprefix("release-grok2api-") for one in of_kind(found, kind)}
        assert names - {"release-grok2api"} == roles, kind
    headless = [one for one in of_kind(found, "Service") if one["spec"].get("clusterIP") == "None"]
    assert len(headless) == len(ROLES)


@pytest.mark.parametrize("case", CASES)
def test_selectors_find_their_pods(case):
    found = manifests(case)
    labels = {
        name: one["spec"]["template"]["metadata"]["labels"]
        for one in of_kind(found, "Deployment", "StatefulSet", "Job")
        for name in [one["metadata"]["name"]]
    }
    test = next(one["metadata"]["labels"] for one in of_kind(found, "Pod"))

    def matches(selector):
        return [name for name, own in labels.items() if selector.items() <= own.items()]

    for one in of_kind(found, "Deployment", "StatefulSet", "PodDisruptionBudget"):
        assert len(matches(one["spec"]["selector"]["matchLabels"])) == 1, one["metadata"]["name"]
    for one in of_kind(found, "Service"):
        assert len(matches(one["spec"]["selector"])) == 1, one["metadata"]["name"]
    for one in of_kind(found, "NetworkPolicy"):
        assert len(matches(one["spec"]["podSelector"]["matchLabels"])) == 1, one["metadata"]["name"]
        rules = [peer for rule in one["spec"]["ingress"] for peer in rule.get("from", [])]
        rules += [peer for rule in one["spec"]["egress"] for peer in rule.get("to", [])]
        for peer in rules:
            if "podSelector" in peer:
                wanted = peer["podSelector"]["matchLabels"]
                assert len(matches(wanted)) == 1 or wanted.items() <= test.items(), one["metadata"]["name"]
    for one in of_kind(found, "HorizontalPodAutoscaler"):
        target = one["spec"]["scaleTargetRef"]["name"]
        [deployment] = [d for d in of_kind(found, "Deployment") if d["metadata"]["name"] == target]
        assert "replicas" not in deployment["spec"], f"{target}: an upgrade would undo the scaling"


def test_answers_are_not_cut_by_proxies():
    [ingress] = of_kind(manifests("ha"), "Ingress")
    notes = ingress["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"
    assert int(notes["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600
    [route] = of_kind(manifests("redis"), "HTTPRoute")
    assert route["spec"]["rules"][0]["timeouts"] == {"request": "0s", "backendRequest": "0s"}


def test_the_versions_are_the_products():
    product = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    meta = yaml.safe_load((PATH / "Chart.yaml").read_text())
    assert (meta["version"], meta["appVersion"]) == (product, product)
    images = [c["image"] for _, spec in pods(manifests("ha")) for c in containers(spec) if ours(c)]
    assert set(images) == {f"ghcr.io/grok2api/grok2api:{product}"}


@pytest.mark.parametrize("given, told", [
    ({"topolgy": "split"}, "topolgy"),
    ({"storage": {"mode": "disk"}}, "/storage/mode"),
    ({"upstream": {"url": "http://grok.com"}}, "/upstream/url"),
    ({"secrets": {"masterKey": "short"}}, "/secrets/masterKey"),
    ({"topology": "split"}, "cannot share SQLite"),
    ({"storage": {"mode": "mysql"}}, "storage.existingSecret or storage.databaseUrl"),
    ({"storage": {"redisUrl": "redis://r"}}, "uses no address"),
    ({"media": {"endpoint": "http://minio:9000"}}, "set media.url"),
    ({"media": {"url": "s3://b", "accessKey": "a"}}, "go together"),
    ({"secrets": {"existingSecret": "s", "adminPassword": "p"}}, "would be ignored"),
    ({"gatewayApi": {"enabled": True}}, "parentRefs"),
    ({"topology": "split", "storage": {"mode": "mysql", "databaseUrl": "mysql://a@b/c"}, "tokenPool": {"replicas": 2}},
     "tokenPool: several replicas"),
    ({"topology": "split", "storage": {"mode": "redis", "databaseUrl": "redis://r"}, "mediaCache": {"replicas": 2}},
     "mediaCache: several replicas"),
])
def test_values_that_make_no_sense_are_refused_by_name(given, told):
    with pytest.raises(helm.HelmError, match=re.escape(told)):
        chart().validate_schema(chart().merge_values(given))
        render(given)
