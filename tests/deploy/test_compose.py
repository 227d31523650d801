"""The compose file: its schema, what it refers to, and every variable of the product put to the binary."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from chart import ROOT

FILE = ROOT / "docker-compose.yml"
SECRETS = "/run/secrets/grok2api"
ROLES = {"gateway", "chat", "token-pool", "media-cache", "config"}


def compose():
    """The file as Compose reads it with an empty environment: anchors merged, `${NAME:-default}` replaced."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", FILE.read_text())
    return yaml.safe_load(text)


SERVICES = compose()["services"]
PRODUCT = {name: service for name, service in SERVICES.items() if service["image"] == "grok2api"}


def seconds(text):
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


def test_the_schema_and_the_habits_of_compose(node):
    node("node_modules/.bin/dclint", "--max-warnings", "0", "--config", Path(__file__).parent / "dclint.json", FILE)


def test_profiles_hold_what_they_say():
    profiles = {}
    for name, service in SERVICES.items():
        [profile] = service["profiles"]
        profiles.setdefault(profile, set()).add(name)
    assert profiles == {
        "default": {"grok2api"},
        "cluster": ROLES | {"secrets", "mysql", "redis"},
        "observability": {"collector", "prometheus", "tempo", "grafana"},
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_refers_to_what_is_there(name):
    service = SERVICES[name]
    for other in service.get("depends_on", {}):
        assert SERVICES[other]["profiles"] == service["profiles"]
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        known = (ROOT / source).exists() if source.startswith("./") else source in compose()["volumes"]
        assert known, f"{name}: {source}"


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_no_more_than_it_must(name):
    service = SERVICES[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), "not open to the network before the operator says so"


@pytest.fixture(scope="module")
def secrets(tmp_path_factory):
    """What the service `secrets` makes."""
    directory = tmp_path_factory.mktemp("secrets")
    service = SERVICES["secrets"]
    script = service["command"][0].replace("$$", "$").replace(SECRETS, str(directory))

    def make():
        done = subprocess.run([*service["entrypoint"], script], text=True, capture_output=True, check=False)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        return {file.name: file.read_text() for file in directory.iterdir()}

    first = make()
    assert make() == first, "made once and kept"
    return directory


def test_each_secret_is_its_own(secrets):
    read = {file.name: file.read_text().strip() for file in secrets.iterdir()}
    assert len({read[name] for name in ("internal-secret", "mysql-password", "redis-password", "master-key")}) == 4
    assert read["mysql-password"] in read["database-url"] and read["redis-password"] in read["redis-url"]
    assert read["redis.conf"] == f"requirepass {read['redis-password']}"


@pytest.mark.parametrize("name", PRODUCT)
def test_the_binary_takes_every_variable(name, binary, secrets):
    given = {key: str(value).replace(SECRETS, str(secrets)) for key, value in PRODUCT[name]["environment"].items()}
    checked = subprocess.run([binary, "config", "check"], env=given, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    shown = subprocess.run([binary, "config", "dump"], env=given, text=True, capture_output=True, check=False)
    grace = int(re.search(r"grace_seconds = (\d+)", shown.stdout)[1])
    assert seconds(PRODUCT[name]["stop_grace_period"]) > grace + 5
    for key, value in given.items():
        if key.endswith("_ADDR"):
            host = re.fullmatch(r"\w+://([\w-]+):\d+", value)[1]
            assert host in SERVICES and host == key[4:-5].lower().replace("_", "-")


def test_every_setting_of_the_example_is_one(binary):
    lines = [line[1:] for line in (ROOT / ".env.example").read_text().splitlines() if re.match(r"#\w+=", line)]
    given = dict(line.split("=", 1) for line in lines)
    assert given
    ours = {name: value or "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" for name, value in given.items()
            if name.startswith("G2A_")}
    checked = subprocess.run([binary, "config", "check"], env=ours, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    for name in set(given) - set(ours):
        assert f"${{{name}:-" in FILE.read_text(), f"{name} is read by nothing"
