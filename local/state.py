"""What the local stack writes down for other programs and for its next start."""

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
    """Write a file that only its owner reads, so that nobody ever sees half of it."""
    unfinished = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(text)
    unfinished.replace(file)


def kept_secret(file: Path) -> str:
    """Read a secret of 48 hexadecimal digits, made at random when the file does not exist."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(file, secrets.token_hex(24))
    return file.read_text(encoding="ascii")


def read_state(directory: Path) -> dict[str, Any]:
    """Read where everything of a running stack is.

    Raises:
        NotRunning: there is none.
    """
    try:
        state: dict[str, Any] = json.loads((directory / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotRunning(f"no local stack runs in {directory}: `mana-credits dev` starts one") from None
    return state


def token_from(issuer: str, user_id: str, **told: Any) -> str:
    """Get a token from a development issuer.

    Args:
        issuer: Its base address.
        told: `email`, `emailVerified`, `name`, `role`, `expiresInSeconds`; what is `None` is left out.

    Raises:
        ValueError: the issuer refused.
        OSError: nobody answers there.
    """
    asked = {"sub": user_id, **{name: value for name, value in told.items() if value is not None}}
    reply = call("POST", f"{issuer}/token", body=asked)
    answer = reply.json()
    if "token" not in answer:
        raise ValueError(answer.get("detail", reply.text))
    return str(answer["token"])
