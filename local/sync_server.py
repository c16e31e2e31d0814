"""A tiny sync server for the local stack: `python -m local.sync_server --port N --service URL …`.

It does what the real one does before every exchange: it asks mana-credits whether the user's sync is active, and
answers 402 if not.
"""

import json
from pathlib import Path
from threading import Lock
from typing import Any

import click
import jwt
from flask import Flask, Response, abort, jsonify, request
from flask_cors import CORS
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from local.calls import call
from local.issuer import QuietRequests
from local.ports import LOOPBACK
from local.state import write_private

CHANGES_MAX = 1_000
BODY_BYTES_MAX = 1024 * 1024


class Unpaid(HTTPException):
    """The user's sync is not active."""

    code = 402
    description = "Sync is not active"


class Changes:
    """Every change that anyone has sent, in the order of arrival, kept in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()
        self._kept: dict[str, list[Any]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def exchange(self, owner: str, *, sent: list[Any], since: int) -> tuple[list[Any], int]:
        """Keep what was sent; return what came since a position, and the position behind it."""
        with self._lock:
            kept = self._kept.setdefault(owner, [])
            found = kept[since:]
            kept.extend(sent)
            if sent:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_private(self._file, json.dumps(self._kept))
            return found, len(kept)


def create_app(changes: Changes, *, service: str, issuer: str, service_key: str) -> Flask:
    """Make the sync server's web application.

    Args:
        service: Base address of mana-credits.
        issuer: Base address of the issuer of the users' tokens.
        service_key: With which mana-credits is asked.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.register_error_handler(HTTPException, _told)
    CORS(
        app, origins=[service, service.replace(LOOPBACK, "localhost")], allow_headers=["Authorization", "Content-Type"]
    )
    keys = jwt.PyJWKClient(f"{issuer}/api/auth/jwks")

    def user() -> str:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            key = keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="mana", issuer=issuer)
        except jwt.PyJWTError:
            abort(401)
        return str(claims["sub"])

    def is_paid(user_id: str) -> bool:
        path = f"/api/v1/internal/sync/status/{user_id}"
        return bool(call("GET", service + path, headers={"X-Service-Key": service_key}).json()["active"])

    @app.post("/sync/<collection>")
    def exchange(collection: str) -> Response:
        user_id = user()
        if not is_paid(user_id):
            raise Unpaid
        told = request.get_json()
        since, sent = int(told["since"] or 0), list(told["changes"])[:CHANGES_MAX]
        found, cursor = changes.exchange(f"{user_id}/{collection}", sent=sent, since=since)
        return jsonify(changes=found, cursor=str(cursor))

    return app


def _told(error: HTTPException) -> tuple[Response, int]:
    status, code = error.code or 500, "sync_inactive" if isinstance(error, Unpaid) else "http_error"
    return jsonify(type="about:blank", title=error.name, status=status, code=code, detail=error.description), status


@click.command()
@click.option("--port", type=click.IntRange(1, 65_535), required=True, help="Where to listen on loopback.")
@click.option("--service", required=True, help="Base address of mana-credits.")
@click.option("--issuer", required=True, help="Base address of the issuer.")
@click.option("--service-key", "key_file", type=click.Path(path_type=Path), required=True, help="File of the key.")
@click.option("--changes", "file", type=click.Path(path_type=Path), required=True, help="Where changes are kept.")
def main(*, port: int, service: str, issuer: str, key_file: Path, file: Path) -> None:
    """Sync until ended."""
    app = create_app(Changes(file), service=service, issuer=issuer, service_key=key_file.read_text(encoding="ascii"))
    make_server(LOOPBACK, port, app, threaded=True, request_handler=QuietRequests).serve_forever()


if __name__ == "__main__":
    main()
