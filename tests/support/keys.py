"""Client keys, as a request brings them."""

from domain.rules.idempotency import ClientKey, fingerprint


def client_key(value: str, request: str = "first", *, route: str = "gifts") -> ClientKey:
    """Build the key of a request.

    Args:
        request: What is asked for; the same key with another request is refused.
    """
    return ClientKey(route=route, value=value, request_hash=fingerprint(request=request))
