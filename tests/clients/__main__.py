"""`make clients`: generate a Python and a TypeScript client from docs/openapi.json, type-check them, and let a small
program of each do the same against a running stack. Everything is made in .local/clients.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from local.stack import LocalStack

ROOT: Final = Path(__file__).parent.parent.parent
DOCUMENT: Final = ROOT / "docs" / "openapi.json"
SCRATCH: Final = ROOT / ".local" / "clients"
PYTHON: Final = SCRATCH / "python"
TYPESCRIPT: Final = SCRATCH / "typescript"
PACKAGES_PYTHON: Final = ("openapi-python-client==0.29.1", "mypy==2.*")


def run(*command: str | Path, within: Path, **variables: str) -> None:
    """Run a program, which must succeed."""
    print("+", *(Path(part).name if isinstance(part, Path) else part for part in command), flush=True)
    subprocess.run([str(part) for part in command], check=True, cwd=within, env=os.environ | variables)


def make_python() -> None:
    """Generate the Python package, and check it and the program that uses it as strictly as our own code."""
    PYTHON.mkdir(parents=True, exist_ok=True)
    binaries = PYTHON / ".venv" / "bin"
    if not (binaries / "openapi-python-client").exists():
        run("uv", "venv", "--quiet", "--clear", PYTHON / ".venv", within=PYTHON)
        python = binaries / "python"
        run("uv", "pip", "install", "--quiet", "--python", python, *PACKAGES_PYTHON, within=PYTHON)
    (PYTHON / "config.yaml").write_text("package_name_override: mana_credits_client\npost_hooks: []\n")
    shutil.copy(Path(__file__).parent / "program.py", PYTHON)
    arguments: list[str | Path] = [
        "--path",
        DOCUMENT,
        "--output-path",
        PYTHON / "mana_credits_client",
        "--meta",
        "none",
        "--overwrite",
    ]
    run(
        binaries / "openapi-python-client",
        "generate",
        *arguments,
        "--config",
        PYTHON / "config.yaml",
        "--fail-on-warning",
        within=PYTHON,
    )
    run(binaries / "mypy", "--strict", "program.py", "mana_credits_client", within=PYTHON)


def make_typescript() -> None:
    """Generate the TypeScript types, and check and compile the program that uses them."""
    TYPESCRIPT.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(Path(__file__).parent / name, TYPESCRIPT)
    run("npm", "ci", "--silent", "--ignore-scripts", "--no-fund", "--no-audit", within=TYPESCRIPT)
    shutil.copy(Path(__file__).parent / "program.ts", TYPESCRIPT)
    binaries = TYPESCRIPT / "node_modules" / ".bin"
    # A member with a default may be left out of a request; what an answer always has is `required`.
    options = ["--default-non-nullable", "false", "--output", "schema.d.ts"]
    run(binaries / "openapi-typescript", DOCUMENT, *options, within=TYPESCRIPT)
    options = ["--strict", "--noEmitOnError", "--module", "nodenext", "--target", "es2022", "--types", "node"]
    run(binaries / "tsc", *options, "program.ts", "schema.d.ts", within=TYPESCRIPT)


def main() -> None:
    """Make both clients and let them work."""
    make_python()
    make_typescript()
    with LocalStack(SCRATCH / "stack") as stack:
        for name, program, within in (
            ("python", [PYTHON / ".venv" / "bin" / "python", "program.py"], PYTHON),
            ("typescript", ["node", "program.js"], TYPESCRIPT),
        ):
            run(
                *program,
                within=within,
                MANA_CREDITS_URL=stack.base_url,
                MANA_SERVICE_KEY=stack.env["MANA_SERVICE_KEY"],
                ANNA=stack.token(f"anna-{name}"),
                BEN=stack.token(f"ben-{name}"),
            )


if __name__ == "__main__":
    main()
