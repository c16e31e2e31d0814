"""The files that the local stack writes for other programs and for its next start."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from local.calls import call

STATE = "stack.json"


class NotRunning(RuntimeError):
    """No local stack runs in this directory."""


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read. It is replaced as a whole: no reader sees an unfinished file."""
    unfinished = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
        output.write(text)
    unfinished.replace(file)


def kept_secret(file: Path) -> str:
    """Return the secret in a file, 48 hexadecimal digits; create it at random if the file does not exist."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(file, secrets.token_hex(24))
    return file.read_text(encoding="ascii")


def read_state(directory: Path) -> dict[str, Any]:
    """Return the addresses and variables of the stack that runs in a directory, as `stack.json` contains them.

    Raises:
        NotRunning: no stack runs there.
    """
    try:
        state: dict[str, Any] = json.loads((directory / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotRunning(f"no local stack runs in {directory}: `mana-credits dev` starts one") from None
    return state


def token_from(issuer: str, user_id: str, **claims: Any) -> str:
    """Get a token from a development issuer.

    Args:
        issuer: The issuer's base address.
        user_id: The user's id, the claim `sub`.
        claims: `email`, `emailVerified`, `name`, `role`, `expiresInSeconds`; those that are `None` are left out.

    Raises:
        ValueError: the issuer refused the request.
        OSError: no issuer answers there.
    """
    body = {"sub": user_id, **{name: value for name, value in claims.items() if value is not None}}
    reply = call("POST", f"{issuer}/token", body=body)
    answer = reply.json()
    if "token" not in answer:
        raise ValueError(answer.get("detail", reply.text))
    return str(answer["token"])
