"""What is installed: every package in one version, checked by its hash, from no address of ours."""

import json
import re
from pathlib import Path
from typing import Final

import pytest

from tests.support.paths import ROOT

LOCKS: Final = [ROOT / "tests" / part / "package-lock.json" for part in ("pages", "clients")]
INSTALLERS: Final = [ROOT / "Makefile", ROOT / ".ci" / "run", ROOT / "tests" / "clients" / "__main__.py"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_every_package_of_npm_has_a_version_and_a_hash_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    chosen = json.loads((lock.parent / "package.json").read_text(encoding="utf-8"))["devDependencies"]

    assert packages[""]["devDependencies"] == chosen
    assert {name: packages[f"node_modules/{name}"]["version"] for name in chosen} == chosen
    for name, package in packages.items():
        assert name == "" or re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"]), name
    assert "://" not in text
    assert '"resolved"' not in text


def test_every_package_of_python_has_a_version_and_a_hash_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    packages = re.split(r"\n(?=\S)", text.strip())

    assert "://" not in text
    for package in packages:
        assert re.match(r"[A-Za-z0-9._\-\[\]]+==\S+", package), package
        assert "--hash=sha256:" in package, package


def test_nothing_is_installed_without_its_hash() -> None:
    commands = [
        line.strip().strip('"')
        for file in INSTALLERS
        for line in file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    ]

    by_pip = [line for line in commands if "-m pip install" in line or "pip sync" in line]
    by_npm = [
        line for line in commands if re.search(r"\bnpm\b.*\b(install|i|add|ci)\b", line) and "apt-get" not in line
    ]
    assert len(by_pip) == 2
    assert all("--require-hashes" in line for line in by_pip)
    assert by_npm
    assert all("npm ci" in line or '"npm", "ci"' in line or "--package-lock-only" in line for line in by_npm)
