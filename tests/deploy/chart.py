"""The chart, rendered by Helm's own library, and the cases that the tests render."""

import base64
from functools import cache
from pathlib import Path

import helm_python as helm
import yaml

ROOT = Path(__file__).parents[2]
PATH = ROOT / "deploy/k8s/grok2api"
VALUES = Path(__file__).parent / "values"
NAMESPACE = "chat"

CASES = {
    "defaults": None,
    "embedded": PATH / "values-embedded.yaml",
    "ha": PATH / "values-ha.yaml",
    **{file.stem: file for file in sorted(VALUES.glob("*.yaml"))},
}


@cache
def chart():
    return helm.Chart.load(PATH)


def values(case):
    return yaml.safe_load(CASES[case].read_text()) if CASES[case] else {}


def render(given, **options):
    """The texts of the templates, by their file names."""
    return chart().render(given, name="release", namespace=NAMESPACE, **options)


def split(texts):
    """The objects in rendered texts, the notes left out."""
    found = []
    for name, text in texts.items():
        if not name.endswith("NOTES.txt"):
            found += [one for one in yaml.safe_load_all(text) if one]
    return found


@cache
def manifests(case):
    return split(render(values(case)))


def of_kind(objects, *kinds):
    return [one for one in objects if one["kind"] in kinds]


def named(objects, kind, name):
    [found] = [one for one in of_kind(objects, kind) if one["metadata"]["name"] == name]
    return found


def pod_spec(workload):
    """The pod of a Deployment, StatefulSet, Job or Pod; None for anything else."""
    if workload["kind"] == "Pod":
        return workload["spec"]
    return workload["spec"].get("template", {}).get("spec") if isinstance(workload.get("spec"), dict) else None


def pods(objects):
    """(name, spec) of everything that becomes a pod."""
    found = [(f"{one['kind']}/{one['metadata']['name']}", pod_spec(one)) for one in objects]
    return [(name, spec) for name, spec in found if spec and "containers" in spec]


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


def ours(container):
    return container["image"].startswith("ghcr.io/grok2api/grok2api")


def environment(container):
    """Its variables; a later one of the same name wins, as in Kubernetes."""
    return {variable["name"]: variable["value"] for variable in container.get("env", [])}


def secret_data(objects, name):
    found = [one for one in of_kind(objects, "Secret") if one["metadata"]["name"] == name]
    return {k: base64.b64decode(v).decode() for one in found for k, v in one.get("data", {}).items()}
