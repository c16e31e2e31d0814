"""Where a Checkout may send buyers back to: our own pages and web clients, and nowhere else."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from web.http.problems import BadRequest

URL_MAX: Final = 2_000
_PLAIN: Final = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%{}]+")
"""The characters of RFC 3986, and the braces of Stripe's `{CHECKOUT_SESSION_ID}`."""


def check_redirect(url: str, field: str, *, origins: Sequence[str]) -> str:
    r"""Check a redirect URL and return it.

    Browsers and URL libraries disagree about odd addresses (`https:/\\evil`, `https://ok@evil`), so anything odd is
    refused first, and then the whole origin is compared.

    Raises:
        BadRequest: the URL is odd, or its origin is not one of `origins`.
    """
    odd = len(url) > URL_MAX or not _PLAIN.fullmatch(url)
    try:
        parts = urlsplit(url)
        origin = f"{parts.scheme.lower()}://{parts.netloc.lower()}"
    except ValueError:
        odd, origin = True, ""
    if odd or "%00" in url or origin not in {allowed.lower() for allowed in origins}:
        errors = [{"field": field, "message": "must be an address of one of our web clients"}]
        raise BadRequest("The body is not valid", errors=errors)
    return url
