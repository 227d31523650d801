"""The chart's pods as processes of this machine: the commands, variables and secrets are those of the rendered manifests.

Every pod gets a loopback address of its own, so that the ports can stay what they are. What a cluster adds (probes,
policies, volumes, the image) is not tried here.
"""

import contextlib
import os
import random
import re
import socket
import subprocess
import time
import urllib.request

import pytest

from chart import containers, environment, manifests, named, of_kind, ours, pod_spec, render, secret_data, split, values
from test_settings import secret_files

PATIENCE = 30


class Machine:
    """Starts containers as processes, and ends them."""

    def __init__(self, binary, directory):
        self.binary, self.directory, self.running = binary, directory, []
        # A network of the loopback range that nobody else is likely to use just now.
        self.network = f"127.{random.randrange(16, 250)}.{random.randrange(1, 250)}"
        self.names = {}

    def address(self, name):
        return self.names.setdefault(name, f"{self.network}.{len(self.names) + 1}")

    def local(self, text, pod):
        """The text with this machine's addresses and directories in the place of the cluster's."""
        own = self.directory / pod
        here = {
            r"0\.0\.0\.0|127\.0\.0\.1": self.address(pod),
            "/run/secrets/grok2api": f"{own}/secrets",
            r"/tmp(?=/)": f"{own}/tmp",
            r"/data(?![\w-])": f"{own}/data",
            **{rf"(?<=[/@]){name}(?=:)": self.address(name) for name in self.names},
        }
        groups = "|".join(f"({pattern})" for pattern in here)
        return re.sub(groups, lambda found: list(here.values())[found.lastindex - 1], text)

    def environment(self, found, pod, spec, container):
        own = self.directory / pod
        for directory in ("secrets", "data", "tmp"):
            (own / directory).mkdir(parents=True, exist_ok=True)
        secret_files(found, spec, own / "secrets")
        for file in (own / "secrets").iterdir():
            file.write_text(self.local(file.read_text(), pod))
        given = {name: self.local(value, pod) for name, value in environment(container).items()}
        return {"PATH": os.environ["PATH"], **given}

    def start(self, command, given):
        process = subprocess.Popen(command, env=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.running.append(process)
        return process

    def pod(self, found, pod, spec):
        """Runs a pod as the kubelet would; gives the output of the container that ends, if one does."""
        for container in containers(spec):
            given = self.environment(found, pod, spec, container)
            words = [self.local(word, pod) for word in container.get("command", []) + container.get("args", [])]
            last = container is containers(spec)[-1]
            stays = container.get("restartPolicy") == "Always" or (last and ours(container))
            command = [self.binary, *words] if ours(container) else words
            if stays:
                # The last one may have to wait for other pods.
                ready(self.start(command, given), wait=not last)
                continue
            done = subprocess.run(command, env=given, text=True, capture_output=True, timeout=PATIENCE, check=False)
            assert done.returncode == 0, f"{pod}/{container['name']}: {done.stdout}{done.stderr}"
        return None if stays else done.stdout

    def end(self):
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=PATIENCE)
            process.kill()


def ready(process, wait=True):
    while wait:
        line = process.stdout.readline()
        assert line, f"ended with {process.wait()}"
        if line.startswith("ready "):
            return


def until(what, test):
    end = time.monotonic() + PATIENCE
    while not test():
        assert time.monotonic() < end, f"{what} took longer than {PATIENCE} s"
        time.sleep(0.05)


def is_ready(address):
    try:
        with urllib.request.urlopen(f"http://{address}:9090/readyz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def serves(address, port):
    """Asks as the kubelet's gRPC probe does: no secret, the empty service; 1 is SERVING."""
    done = subprocess.run(
        ["curl", "--silent", "--max-time", "5", "--http2-prior-knowledge", "-H", "content-type: application/grpc",
         "-H", "te: trailers", "--data-binary", "@-", f"http://{address}:{port}/grpc.health.v1.Health/Check"],
        input=bytes(5), capture_output=True, check=False,
    )
    return done.stdout == b"\x00\x00\x00\x00\x02\x08\x01"


@pytest.fixture
def machine(binary, tmp_path):
    made = Machine(binary, tmp_path)
    yield made
    made.end()


def test_helm_test_chats_with_a_product_of_its_own(machine):
    found = manifests("defaults")
    answer = machine.pod(found, "test", pod_spec(named(found, "Pod", "release-grok2api-test-chat")))
    assert '"content":"works"' in answer and answer.rstrip().endswith("data: [DONE]")


def trial(mode):
    """Every role over the chart's own stores, with a simulated Grok."""
    given = {**values("trial"), "storage": {"mode": mode}, "mysql": {"enabled": mode == "mysql"}, "logFormat": "text",
             "lifecycle": {"drainDelayMs": 0, "graceSeconds": 5}, "service": {"port": 8000}}
    return split(render(given))


def listens(address, port):
    with contextlib.suppress(OSError):
        socket.create_connection((address, port), timeout=1).close()
        return True
    return False


def start_redis(machine, found, tmp_path):
    address = machine.address("release-grok2api-redis")
    conf = named(found, "Secret", "release-grok2api-redis")["stringData"]["redis.conf"]
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis.conf").write_text(conf.replace("dir /data", f"dir {tmp_path}/redis"))
    machine.start(["redis-server", tmp_path / "redis.conf", "--bind", address], {"PATH": os.environ["PATH"]})
    until("Redis", lambda: listens(address, 6379))


def start_mysql(machine, found, tmp_path):
    """MariaDB with the options of the manifest; database, user and password as the image makes them."""
    address, data = machine.address("release-grok2api-mysql"), tmp_path / "mysql"
    [container] = pod_spec(named(found, "StatefulSet", "release-grok2api-mysql"))["containers"]
    given = environment(container)
    password = secret_data(found, "release-grok2api")["mysql-password"]
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
         "--user=root", f"--datadir={data}", f"--tmpdir={tmp_path}"], capture_output=True, check=True)
    (tmp_path / "init.sql").write_text(
        f"CREATE DATABASE {given['MARIADB_DATABASE']};\n"
        f"CREATE USER {given['MARIADB_USER']} IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON {given['MARIADB_DATABASE']}.* TO {given['MARIADB_USER']};\n")
    machine.start(
        ["mariadbd", "--no-defaults", *container["args"], "--user=root", f"--bind-address={address}", f"--datadir={data}",
         f"--init-file={tmp_path}/init.sql", f"--socket={tmp_path}/sock", f"--tmpdir={tmp_path}",
         "--skip-name-resolve"], {"PATH": os.environ["PATH"]})
    until("MariaDB", lambda: listens(address, 3306))


def migrate(machine, found):
    spec = pod_spec(named(found, "Job", "release-grok2api-migrate"))
    given = machine.environment(found, "migrate", spec, spec["containers"][0])
    done = subprocess.run([machine.binary, "migrate"], env=given, text=True, capture_output=True, check=False)
    assert done.returncode == 0 and "migrated from 0" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["redis", "mysql"])
def test_a_release_of_every_role_serves_the_helm_test(mode, machine, tmp_path):
    found = trial(mode)
    start_redis(machine, found, tmp_path)
    if mode == "mysql":
        start_mysql(machine, found, tmp_path)
    deployments = {one["metadata"]["name"]: pod_spec(one) for one in of_kind(found, "Deployment")}
    for name in deployments:
        machine.address(name)
    migrate(machine, found)
    for name, spec in deployments.items():
        machine.pod(found, name, spec)
    for name, spec in deployments.items():
        until(f"readiness of {name}", lambda name=name: is_ready(machine.address(name)))
        probe = spec["containers"][0]["readinessProbe"]
        if "grpc" in probe:
            assert serves(machine.address(name), probe["grpc"]["port"]), name
    # The Service for clients leads to the gateway.
    machine.names["release-grok2api"] = machine.address("release-grok2api-gateway")
    machine.pod(found, "test-release", pod_spec(named(found, "Pod", "release-grok2api-test-release")))
    answer = machine.pod(found, "test-chat", pod_spec(named(found, "Pod", "release-grok2api-test-chat")))
    assert '"content":"works"' in answer
