"""An issuer of tokens whose keys the tests hold: what the service knows as `MANA_AUTH_URL`."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Issuer:
    """Mints tokens and publishes its keys at `/api/auth/jwks`. `is_away` makes it answer 503; `fetches` counts."""

    def __init__(self) -> None:
        self.keys = {"key-1": Ed25519PrivateKey.generate()}
        self.is_away = False
        self.fetches = 0
        self.url = ""

    def token(self, user_id: str, *, key_id: str = "key-1", **claims: Any) -> str:
        """Mint a token; a claim given as `None` is left out."""
        now = int(time.time())
        payload = {"sub": user_id, "iss": self.url, "aud": "mana", "iat": now, "exp": now + 3600, **claims}
        payload = {name: value for name, value in payload.items() if value is not None}
        return jwt.encode(payload, self.keys[key_id], algorithm="EdDSA", headers={"kid": key_id})

    def published(self) -> dict[str, Any]:
        """Write the public keys as a JWK set."""
        algorithm = jwt.get_algorithm_by_name("EdDSA")
        return {
            "keys": [
                {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "alg": "EdDSA", "use": "sig"}
                for key_id, key in self.keys.items()
            ]
        }


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Serve an issuer on a free port."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetches += 1
            self.send_response(503 if issuer.is_away else 200)
            self.end_headers()
            self.wfile.write(json.dumps(issuer.published()).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield issuer
        server.shutdown()
        thread.join()
