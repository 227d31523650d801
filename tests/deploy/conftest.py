"""What several tests need: the binary under test and the tools from scripts/setup."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


@pytest.fixture(scope="session")
def binary():
    path = Path(os.environ.get("G2A_TEST_BINARY", TARGET / "debug/grok2api"))
    assert path.is_file(), f"{path} is missing; scripts/lint-deploy builds it"
    return path


@pytest.fixture(scope="session")
def node():
    """Runs a script of ./node, or a tool that npm installed, and gives what it prints; it must succeed."""

    def run(*words, text=""):
        done = subprocess.run(
            ["node", *map(str, words)],
            cwd=TARGET / "deploy/node", input=text, text=True, capture_output=True, check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def tool():
    """Runs a tool of the Python environment; it must succeed."""

    def run(name, *words, environment="venv", **options):
        path = TARGET / "deploy" / environment / "bin" / name
        done = subprocess.run([path, *map(str, words)], text=True, capture_output=True, check=False, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
