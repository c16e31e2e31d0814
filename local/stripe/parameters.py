"""Parameters of a call: reads Stripe's form fields with brackets, and refuses wrong values as Stripe does.

The known names are those of stripe-python's typed parameters, so a misspelt name is refused as Stripe refuses it.
"""

from collections.abc import Collection, Iterable
from typing import Any

from local.stripe import errors
from local.stripe.documents import Document

INTEGER_MAX = 2**53
# Source: https://docs.stripe.com/changelog/endive/2026-09-30, where `allowed_payment_method_types` took its place.
REMOVED = {"payment_method_types": "payment_method_types_no_longer_supported"}
METADATA_KEYS_MAX = 50
METADATA_KEY_LENGTH_MAX = 40
METADATA_VALUE_LENGTH_MAX = 500


def decode(fields: Iterable[tuple[str, str]]) -> Document:
    """Turn `a[b][0][c]=v` fields into nested objects and lists.

    Raises:
        ApiError: the same name has a value and a group.
    """
    root: Document = {}
    for name, value in fields:
        steps = name.replace("]", "").split("[")
        group = root
        for step in steps[:-1]:
            group = group.setdefault(step, {})
            if not isinstance(group, dict):
                raise errors.invalid_request(f"Invalid parameter: {name}", param=name)
        group[steps[-1] or str(len(group))] = value
    return {name: value if name == "metadata" else _lists(value) for name, value in root.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    members = {name: member if name == "metadata" else _lists(member) for name, member in value.items()}
    if members and list(members) == [str(index) for index in range(len(members))]:
        return list(members.values())
    return members


class Parameters:
    """The parameters of a call, or of a group in it."""

    def __init__(self, values: Document, *, prefix: str = "") -> None:
        self.values = values
        self._prefix = prefix

    def name(self, name: str) -> str:
        """Return the full name of a parameter, as it stands in error responses."""
        return f"{self._prefix}[{name}]" if self._prefix else name

    def check_names(self, *, known: Collection[str], simulated: Collection[str]) -> None:
        """Refuse names that Stripe does not know, and names that this simulator does not support."""
        for name in self.values:
            if name not in known:
                message = f"Received unknown parameter: {self.name(name)}"
                code = REMOVED.get(name, "parameter_unknown")
                raise errors.invalid_request(message, param=self.name(name), code=code)
            if name not in simulated:
                message = f"The local Stripe does not simulate this parameter: {self.name(name)}"
                raise errors.invalid_request(message, param=self.name(name))

    def text(self, name: str) -> str | None:
        """Return a text; `None` if it is absent or empty (in Stripe's API an empty text removes a value)."""
        value = self.values.get(name)
        if isinstance(value, dict | list):
            raise errors.invalid_request(f"Invalid string: {value}", param=self.name(name))
        return value or None

    def required_text(self, name: str) -> str:
        """Return a text that must be given."""
        value = self.text(name)
        if value is None:
            raise self.missing(name)
        return value

    def missing(self, name: str) -> errors.ApiError:
        """Return the refusal for a missing parameter."""
        message = f"Missing required param: {self.name(name)}."
        return errors.invalid_request(message, param=self.name(name), code="parameter_missing")

    def integer(self, name: str) -> int | None:
        """Return a whole number; `None` if it is absent."""
        value = self.text(name)
        if value is None:
            return None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or int(digits) > INTEGER_MAX:
            message = f"Invalid integer: {value}"
            raise errors.invalid_request(message, param=self.name(name), code="parameter_invalid_integer")
        return int(value)

    def boolean(self, name: str) -> bool:
        """Return whether the value is `true`; absent is false."""
        value = self.text(name)
        if value not in {None, "true", "false"}:
            raise errors.invalid_request(f"Invalid boolean: {value}", param=self.name(name))
        return value == "true"

    def choice(self, name: str, *, choices: Collection[str]) -> str | None:
        """Return a value that must be one of `choices`; `None` if it is absent."""
        value = self.text(name)
        if value is not None and value not in choices:
            message = f"Invalid {self.name(name)}: must be one of {', '.join(sorted(choices))}"
            raise errors.invalid_request(message, param=self.name(name))
        return value

    def group(self, name: str) -> "Parameters":
        """Return a nested group; it is empty if it is absent."""
        value = self.values.get(name) or {}
        if not isinstance(value, dict):
            raise errors.invalid_request("Invalid object", param=self.name(name))
        return Parameters(value, prefix=self.name(name))

    def groups(self, name: str) -> list["Parameters"]:
        """Return a list of groups; it is empty if it is absent."""
        values = self.values.get(name) or []
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise errors.invalid_request("Invalid array", param=self.name(name))
        return [Parameters(value, prefix=f"{self.name(name)}[{index}]") for index, value in enumerate(values)]

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; it is empty if it is absent."""
        values = self.values.get(name) or []
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise errors.invalid_request("Invalid array", param=self.name(name))
        return values

    def texts_and_metadata(self, names: Collection[str], *, before: Document) -> Document:
        """Return the members of an object that an update sets: those of `names` that are given, and its metadata."""
        members: Document = {name: self.text(name) for name in names if name in self.values}
        return members | {"metadata": self.metadata(before=before["metadata"])}

    def metadata(self, *, before: Document | None = None) -> Document:
        """Merge the parameter `metadata` into the metadata `before`: an empty value removes its key.

        Source: https://docs.stripe.com/api/metadata (50 keys of 40 characters, values of 500).
        """
        if self.values.get("metadata") == "":
            return {}
        merged = dict(before or {})
        for key, value in self.group("metadata").values.items():
            name = f"{self.name('metadata')}[{key}]"
            if not isinstance(value, str) or len(value) > METADATA_VALUE_LENGTH_MAX:
                message = "Metadata values can have up to 500 characters"
                raise errors.invalid_request(message, param=name)
            if len(key) > METADATA_KEY_LENGTH_MAX:
                raise errors.invalid_request("Metadata keys can have up to 40 characters", param=name)
            merged[key] = value
        merged = {key: value for key, value in merged.items() if value != ""}
        if len(merged) > METADATA_KEYS_MAX:
            raise errors.invalid_request("Metadata can have up to 50 keys", param=self.name("metadata"))
        return merged
