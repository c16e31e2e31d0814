"""The forms of values that are new in every answer."""

import re


class AnyText:
    """Equals every text of a form."""

    def __init__(self, form: str) -> None:
        self.form = form

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(self.form, other) is not None

    def __hash__(self) -> int:
        return hash(self.form)

    def __repr__(self) -> str:
        return f"<{self.form}>"


ID = AnyText(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = AnyText(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
CODE = AnyText(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")
LINK = AnyText(r"https://credits\.example/g/[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}")
