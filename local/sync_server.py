"""A small sync server for the local stack: `python -m local.sync_server --port N --service URL …`.

Before each exchange of changes it asks mana-credits, as the real sync server does, whether the user's sync is active,
and answers 402 if it is not.
"""

import json
from dataclasses import dataclass
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


class SyncInactive(HTTPException):
    """The user's sync is not active."""

    code = 402
    description = "Sync is not active"


class Changes:
    """All changes that the users' devices have sent, in order of arrival, kept in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()
        self._changes: dict[str, list[Any]] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def exchange(self, owner: str, *, sent: list[Any], since: int) -> tuple[list[Any], int]:
        """Store the changes that a device has sent.

        Returns:
            The changes of this owner from position `since` to the one before those sent, and the position after all.
        """
        with self._lock:
            changes = self._changes.setdefault(owner, [])
            new_changes = changes[since:]
            changes.extend(sent)
            if sent:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_private(self._file, json.dumps(self._changes))
            return new_changes, len(changes)


@dataclass(frozen=True, kw_only=True)
class Callers:
    """Finds out who sends a request, and whether that user's sync is active.

    Attributes:
        service: Base address of mana-credits.
        issuer: Base address of the issuer of the users' tokens.
        service_key: Sent to mana-credits as `X-Service-Key`.
        keys: The issuer's public keys.
    """

    service: str
    issuer: str
    service_key: str
    keys: jwt.PyJWKClient

    def user(self) -> str:
        """Return the user id of the request's token; answer 401 if the token is not valid."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            key = self.keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=["EdDSA"], audience="mana", issuer=self.issuer)
        except jwt.PyJWTError:
            abort(401)
        return str(claims["sub"])

    def is_active(self, user_id: str) -> bool:
        """Ask mana-credits whether the user's sync is active."""
        url = f"{self.service}/api/v1/internal/sync/status/{user_id}"
        return bool(call("GET", url, headers={"X-Service-Key": self.service_key}).json()["active"])


def create_app(changes: Changes, *, service: str, issuer: str, service_key: str) -> Flask:
    """Create the sync server's web application.

    Args:
        changes: Where changes are stored.
        service: Base address of mana-credits.
        issuer: Base address of the issuer of the users' tokens.
        service_key: The key for the service calls to mana-credits.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    app.register_error_handler(HTTPException, _problem)
    origins = [service, service.replace(LOOPBACK, "localhost")]
    CORS(app, origins=origins, allow_headers=["Authorization", "Content-Type"])
    keys = jwt.PyJWKClient(f"{issuer}/api/auth/jwks")
    callers = Callers(service=service, issuer=issuer, service_key=service_key, keys=keys)

    @app.post("/sync/<collection>")
    def exchange(collection: str) -> Response:
        user_id = callers.user()
        if not callers.is_active(user_id):
            raise SyncInactive
        body = request.get_json()
        since, sent = int(body["since"] or 0), list(body["changes"])[:CHANGES_MAX]
        new_changes, cursor = changes.exchange(f"{user_id}/{collection}", sent=sent, since=since)
        return jsonify(changes=new_changes, cursor=str(cursor))

    return app


def _problem(error: HTTPException) -> tuple[Response, int]:
    status, code = error.code or 500, "sync_inactive" if isinstance(error, SyncInactive) else "http_error"
    return jsonify(type="about:blank", title=error.name, status=status, code=code, detail=error.description), status


@click.command()
@click.option("--port", type=click.IntRange(1, 65_535), required=True, help="Where to listen on loopback.")
@click.option("--service", required=True, help="Base address of mana-credits.")
@click.option("--issuer", required=True, help="Base address of the issuer.")
@click.option(
    "--service-key", "key_file", type=click.Path(path_type=Path), required=True, help="File of the service key."
)
@click.option("--changes", "file", type=click.Path(path_type=Path), required=True, help="Where changes are kept.")
def main(*, port: int, service: str, issuer: str, key_file: Path, file: Path) -> None:
    """Serve the exchange of changes until the process is ended."""
    app = create_app(Changes(file), service=service, issuer=issuer, service_key=key_file.read_text(encoding="ascii"))
    make_server(LOOPBACK, port, app, threaded=True, request_handler=QuietRequests).serve_forever()


if __name__ == "__main__":
    main()
