"""checkov's policies over every rendering of the chart. What it does not accept is listed here, each with the reason."""

import json
import subprocess

import pytest
import yaml
from chart import CASES, render, split, values
from conftest import TARGET

# The check, the objects it may fail for (a part of their names), why that is right.
EXCEPTIONS = {
    "CKV_K8S_8": ("-test-", "a test runs once and ends: there is no life to watch"),
    "CKV_K8S_9": ("-test-", "a test runs once and ends: nobody is sent to it"),
    "CKV2_K8S_6": ("-test-", "a test holds no secret and is gone after a minute; nothing reaches it"),
    "CKV_K8S_15": ("", "images are named by version or digest, which stay what they are: a node need not ask for each pod"),
    "CKV_K8S_40": (("-mysql", "-redis"), "999 is the user that these images are made for"),
    "CKV_K8S_43": (("-mysql", "-redis", "-test-"), "images of others are values; ours is rendered with a digest here"),
}


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    directory = tmp_path_factory.mktemp("rendered")
    image = {"digest": "sha256:" + "0" * 64}
    for case in CASES:
        given = values(case)
        given["image"] = {**given.get("image", {}), **image}
        (directory / f"{case}.yaml").write_text(yaml.safe_dump_all(split(render(given))))
    done = subprocess.run(
        [TARGET / "deploy/checkov/bin/checkov", "-d", directory, "--framework", "kubernetes", "--skip-download",
         "--compact", "--quiet", "--output", "json"],
        text=True, capture_output=True, check=False,
    )
    found = json.loads(done.stdout)
    assert found["summary"]["parsing_errors"] == 0 and found["summary"]["passed"] > 1000, found["summary"]
    return [(one["check_id"], one["check_name"], one["file_path"], one["resource"]) for one in found["results"]["failed_checks"]]


def test_checkov_finds_nothing_but_what_is_explained(failures):
    unexplained = []
    for check, name, file, resource in failures:
        parts, _ = EXCEPTIONS.get(check, ((), ""))
        if not any(part in resource for part in ([parts] if isinstance(parts, str) else parts)):
            unexplained.append(f"{file}: {resource}: {check} {name}")
    assert unexplained == []


def test_no_exception_outlives_its_reason(failures):
    assert set(EXCEPTIONS) == {check for check, *_ in failures}
