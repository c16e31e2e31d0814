"""`python -m web.document`: write the OpenAPI document to docs/openapi.json, the one that is served."""

import json
from pathlib import Path
from typing import Final

from web.app import APIS
from web.openapi import build

FILE: Final = Path(__file__).parent.parent / "docs" / "openapi.json"

if __name__ == "__main__":
    FILE.write_text(json.dumps(build(APIS), indent=2, sort_keys=True) + "\n", encoding="utf-8")
