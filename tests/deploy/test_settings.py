"""The chart and the binary: every variable of every container is put to `config check`, and every role to `serve`."""

import os
import re
import signal
import subprocess

import pytest

from chart import CASES, containers, environment, manifests, of_kind, ours, pod_spec, pods, secret_data, values

SECRETS = "/run/secrets/grok2api/"
# What an operator's own Secrets might hold.
SAMPLES = {
    "internal-secret": "a-long-internal-secret",
    "master-key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "admin-password": "a-password",
    "database-url": "mysql://grok2api:change-me@db.example.com:3306/grok2api",
    "redis-url": "redis://:change-me@redis.example.com:6379/0",
    "media-access-key": "an-access-key",
    "media-secret-key": "a-secret-key",
}


def secret_files(found, spec, directory):
    """Writes what the pod's volume of secrets would hold."""
    for volume in spec.get("volumes", []):
        for source in volume.get("projected", {}).get("sources", []):
            made = secret_data(found, source["secret"]["name"])
            for item in source["secret"]["items"]:
                value = made[item["key"]] if made else SAMPLES[item["key"]]
                (directory / item["path"]).write_text(value)


def real_environment(found, spec, container, directory):
    """The container's variables as a process of this machine can use them."""
    secret_files(found, spec, directory)
    given = {k: v.replace(SECRETS, f"{directory}/") for k, v in environment(container).items()}
    return {"PATH": os.environ["PATH"], **given}


def cases():
    for case in CASES:
        for name, spec in pods(manifests(case)):
            for container in containers(spec):
                if ours(container) and container["name"] != "simulator":
                    yield pytest.param(case, spec, container, id=f"{case}-{name}-{container['name']}")


def ask(binary, given, *words):
    return subprocess.run([binary, *words], env=given, text=True, capture_output=True, timeout=30, check=False)


@pytest.mark.parametrize("case, spec, container", cases())
def test_the_binary_takes_every_variable(case, spec, container, binary, tmp_path):
    given = real_environment(manifests(case), spec, container, tmp_path)
    assert any(name.startswith("G2A_") for name in given)
    checked = ask(binary, given, "config", "check")
    assert checked.returncode == 0, checked.stderr


def test_a_variable_that_the_binary_does_not_know_would_be_noticed(binary):
    checked = ask(binary, {"G2A_LIFECYCLE__DRAIN_DELAY": "1"}, "config", "check")
    assert checked.returncode == 78 and "is not a setting" in checked.stderr


def deployments():
    for case in CASES:
        for one in of_kind(manifests(case), "Deployment"):
            yield pytest.param(case, pod_spec(one), id=f"{case}-{one['metadata']['name']}")


@pytest.mark.parametrize("case, spec", deployments())
def test_what_is_declared_is_what_the_process_does(case, spec):
    [container] = [one for one in spec["containers"] if ours(one)]
    given = environment(container)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert int(given["G2A_OPS_LISTEN"].rpartition(":")[2]) == ports["ops"]
    if "http" in ports:
        assert int(given["G2A_LISTEN"].rpartition(":")[2]) == ports["http"]
    if "grpc" in ports:
        [listen] = [value for name, value in given.items() if name.startswith("G2A_GRPC__")]
        assert int(listen.rpartition(":")[2]) == ports["grpc"]
        assert container["readinessProbe"]["grpc"]["port"] == ports["grpc"]
    drain = int(given["G2A_LIFECYCLE__DRAIN_DELAY_MS"]) / 1000 + int(given["G2A_GRACE_SECONDS"])
    # Housekeeping has five seconds for its last writes.
    assert spec["terminationGracePeriodSeconds"] >= drain + 5 + 1


@pytest.mark.parametrize("case", [case for case in CASES if values(case).get("topology") == "split"])
def test_peers_are_services_of_the_release(case):
    found = manifests(case)
    services = {one["metadata"]["name"]: one["spec"] for one in of_kind(found, "Service")}
    for one in of_kind(found, "Deployment"):
        [container] = pod_spec(one)["containers"]
        for name, value in environment(container).items():
            if name.startswith("G2A_") and name.endswith("_ADDR"):
                host, port = re.fullmatch(r"\w+://([\w-]+):(\d+)", value).groups()
                assert host.endswith(name[4:-5].lower().replace("_", "-"))
                assert int(port) in [port["port"] for port in services[host]["ports"]]


@pytest.mark.parametrize("case, spec", deployments())
def test_a_role_is_given_the_peers_it_asks_for(case, spec, binary, tmp_path):
    """A role that misses a peer ends at once with 78; one that has all waits for config."""
    [container] = spec["containers"]
    role = container["args"][-1]
    given = real_environment(manifests(case), spec, container, tmp_path)
    given.pop("RUST_LOG", None)
    local = {name: "127.0.0.1:0" for name in given if name.endswith("_LISTEN") or name.startswith("G2A_GRPC__")}
    # Where nobody listens: what a role needs of others stays away.
    away = {name: "http://127.0.0.1:9" for name in given if name.endswith("_ADDR")}
    command = [binary, *container["args"]]
    state = {"G2A_DATA_DIR": str(tmp_path / "data")}
    if role in ("gateway", "chat"):
        process = subprocess.Popen(command, env={**given, **local, **away, **state}, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            assert "waiting for the config service" in process.stderr.readline()
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
        assert process.returncode == 0
    if away:
        without = {name: value for name, value in {**given, **local, **state}.items() if name not in away}
        refused = subprocess.run(command, env=without, text=True, capture_output=True, timeout=20, check=False)
        named = set(re.findall(r"peers\.(\w+)", refused.stderr))
        assert refused.returncode == 78 and named, refused.stderr
        assert named <= {name[4:-5].lower() for name in away}, "what a role needs, the chart gives"
