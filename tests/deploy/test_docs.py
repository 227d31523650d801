"""What the documents tell to type, as far as it can be tried without Docker and a cluster."""

import re
import shlex

import helm_python as helm
import pytest
import yaml
from chart import ROOT, chart, named, of_kind, render, split

DOCUMENTS = [ROOT / "docs/deploy-kubernetes.md", ROOT / "docs/deploy-compose.md", ROOT / "README.md"]


def commands(document, program):
    """The commands of a document's shell blocks that begin with the program, as words."""
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith(f"{program} ")]


def merge(below, above):
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(below.get(key), dict)
        below[key] = merge(below[key], value) if both else value
    return below


HELM = [words for document in DOCUMENTS for words in commands(document, "helm") if words[1] in ("install", "upgrade")]


@pytest.mark.parametrize("words", HELM, ids=" ".join)
def test_helm_renders_what_is_told(words):
    given = {}
    for option, value in zip(words, words[1:], strict=False):
        if option == "-f":
            merge(given, yaml.safe_load((ROOT / value).read_text()))
        elif option == "--set":
            merge(given, helm.parse_set_string(value))
    assert (ROOT / words[3] / "Chart.yaml").is_file()
    chart().validate_schema(chart().merge_values(given))
    assert of_kind(split(chart().render(given, name=words[2], namespace="default")), "Deployment")


def targets():
    for document in DOCUMENTS:
        for match in re.finditer(r"kubectl (?:exec|logs) (deploy/[\w-]+)", document.read_text()):
            yield match[1]


@pytest.mark.parametrize("target", sorted(set(targets())))
def test_kubectl_names_what_the_chart_makes(target):
    name = target.removeprefix("deploy/")
    rendered = [chart().render(given, name="grok2api", namespace="default") for given in (
        {}, yaml.safe_load((ROOT / "deploy/k8s/grok2api/values-ha.yaml").read_text()))]
    assert [one for texts in rendered for one in of_kind(split(texts), "Deployment") if one["metadata"]["name"] == name]


def test_the_secrets_that_the_document_makes_are_those_that_are_asked_for():
    made = {}
    for words in commands(DOCUMENTS[0], "kubectl"):
        if words[1:4] == ["create", "secret", "generic"]:
            made[words[4]] = {word.split("=")[1] for word in words if word.startswith("--from-literal=")}
    found = split(render(yaml.safe_load((ROOT / "deploy/k8s/grok2api/values-ha.yaml").read_text())))
    asked = {}
    for one in of_kind(found, "Deployment", "Job"):
        for volume in one["spec"]["template"]["spec"]["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                secret = source["secret"]
                asked.setdefault(secret["name"], set()).update(item["key"] for item in secret["items"])
    assert made == asked


def test_profiles_and_services_of_the_documents_are_there():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    profiles = {profile for service in services.values() for profile in service["profiles"]}
    text = "".join(document.read_text() for document in DOCUMENTS)
    assert set(re.findall(r"docker compose exec (\S+)", text)) <= set(services)
    assert set(re.findall(r"--profile (\S+)", text)) <= profiles


def test_the_notes_name_what_is_there():
    for case in ({}, {"topology": "split", "storage": {"mode": "mysql", "databaseUrl": "mysql://u:p@db/g"}}):
        texts = render(case)
        [notes] = [text for name, text in texts.items() if name.endswith("NOTES.txt")]
        for name in re.findall(r"deploy/([\w-]+)", notes):
            assert named(split(texts), "Deployment", name)
        [secret] = re.findall(r"get secret ([\w-]+)", notes)
        assert "admin-password" in named(split(texts), "Secret", secret)["data"]
