"""Secrets: generated once, kept over upgrades, and never where they do not belong."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import helm_python as helm
import pytest

from chart import CASES, NAMESPACE, chart, manifests, of_kind, pods, render, secret_data, split, values

NAME = "release-grok2api"
RESOURCES = {
    "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1",
    "resources": [{"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret", "verbs": ["get"]}],
}


class Cluster(BaseHTTPRequestHandler):
    """As much of Kubernetes' API as the template function `lookup` asks for."""

    def do_GET(self):
        path = self.path.partition("?")[0]
        secrets = f"/api/v1/namespaces/{NAMESPACE}/secrets/"
        answer = {
            "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
            "/api/v1": RESOURCES,
            **{secrets + name: secret for name, secret in self.server.secrets.items()},
        }.get(path)
        body = json.dumps(answer or {"kind": "Status", "apiVersion": "v1", "status": "Failure",
                                     "reason": "NotFound", "code": 404}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def cluster():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    server.secrets = {}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def upgrade(cluster, given):
    """What Helm renders with a cluster at hand."""
    address = f"http://127.0.0.1:{cluster.server_address[1]}"
    kubeconfig = json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}],
        "users": [{"name": "u", "user": {}}],
    })
    with helm.Config(kubeconfig_content=kubeconfig, namespace=NAMESPACE) as config:
        return split(config.render(chart(), given, name="release", namespace=NAMESPACE, is_upgrade=True))


def store(cluster, name, data):
    cluster.secrets[name] = {
        "kind": "Secret", "apiVersion": "v1", "metadata": {"name": name, "namespace": NAMESPACE},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def test_what_was_generated_stays_over_upgrades(cluster):
    given = values("trial")
    first = secret_data(split(render(given)), NAME)
    assert set(first) == {
        "admin-password", "internal-secret", "master-key", "mysql-password", "redis-password", "database-url", "redis-url",
    }
    assert len(base64.b64decode(first["master-key"])) == 32
    assert secret_data(split(render(given)), NAME) != first, "nothing to look up, nothing to find"
    store(cluster, NAME, first)
    assert secret_data(upgrade(cluster, given), NAME) == first


def test_what_a_failed_installation_sealed_with_is_found_by_the_next(cluster):
    given = {"topology": "split", "storage": {"mode": "mysql", "databaseUrl": "mysql://u:p@db/g"}}
    failed = secret_data(split(render(given)), f"{NAME}-migrate")
    store(cluster, f"{NAME}-migrate", failed)
    assert secret_data(upgrade(cluster, given), NAME) == failed


def test_a_value_that_is_given_wins(cluster):
    store(cluster, NAME, {"admin-password": "old", "internal-secret": "kept"})
    found = secret_data(upgrade(cluster, values("redis")), NAME)
    assert (found["admin-password"], found["internal-secret"]) == ("chosen-by-hand", "kept")


def test_the_migration_is_given_the_same_as_the_release():
    found = manifests("redis")
    assert secret_data(found, NAME) == secret_data(found, f"{NAME}-migrate") != {}


def test_secrets_of_the_operator_are_used_as_they_are():
    found = manifests("ha")
    assert of_kind(found, "Secret") == []
    used = {
        source["secret"]["name"]
        for _, spec in pods(found) for volume in spec.get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
    }
    assert used == {"grok2api-secrets", "grok2api-store"}


def files(found, role):
    [spec] = [spec for name, spec in pods(found) if name == f"Deployment/{NAME}-{role}"]
    sources = [s["secret"] for v in spec["volumes"] for s in v.get("projected", {}).get("sources", [])]
    return {item["key"] for source in sources for item in source["items"]}


def test_a_role_sees_no_more_than_it_needs():
    found = manifests("redis")
    assert files(found, "gateway") == files(found, "chat") == {"internal-secret"}
    assert files(found, "token-pool") == {"internal-secret", "master-key", "database-url"}
    assert files(found, "config") == {"internal-secret", "master-key", "database-url", "admin-password"}
    assert "media-secret-key" in files(found, "media-cache")


@pytest.mark.parametrize("case", CASES)
def test_no_secret_stands_outside_of_a_secret(case):
    found = manifests(case)
    secrets = {value for one in of_kind(found, "Secret") for value in secret_data(found, one["metadata"]["name"]).values()}
    rest = json.dumps([one for one in found if one["kind"] != "Secret"])
    assert [value for value in secrets if len(value) > 5 and value in rest] == []
