"""What the admin API and the console share: the filter of jobs, and payloads without secrets."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from typing_extensions import TypeAliasType

from domain.rules.job_kinds import KINDS, kind_named
from domain.rules.job_search import JobFilter, age_s
from domain.rules.jobs import JobState
from domain.rules.texts import check_storable
from domain.units import USER_ID_MAX, UserId
from web.http.models import Model

_SECRETS: Final = frozenset({"client_secret", "clientSecret", "checkoutUrl"})


def _age(text: str) -> str:
    age_s(text)
    return text


def _known_kind(name: str) -> str:
    kind = kind_named(name)  # earlier spellings too
    if kind.name not in KINDS:
        raise ValueError("must be a kind of job")
    return kind.name


JobKindName = TypeAliasType(
    "JobKindName",
    Annotated[str, AfterValidator(_known_kind), WithJsonSchema({"type": "string", "enum": sorted(KINDS)})],
)
FilterText = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(check_storable)]
UserText = Annotated[str, StringConstraints(min_length=1, max_length=USER_ID_MAX), AfterValidator(check_storable)]
Age = Annotated[str, StringConstraints(max_length=12), AfterValidator(_age)]


class Filter(Model):
    """Which jobs to select. `error` is the class of an error or a problem's code; `olderThan` an age such as `15m`."""

    state: Annotated[JobState, Field(strict=False)] | None = None
    kind: JobKindName | None = None
    user_id: UserText | None = None
    error: FilterText | None = None
    older_than: Age | None = None
    text: FilterText | None = None

    @classmethod
    def values_in(cls, parameters: Mapping[str, str]) -> dict[str, str]:
        """Pick the members of a filter from a query or form, as they were sent, without empty ones."""
        names = [field.alias or name for name, field in cls.model_fields.items()]
        return {name: parameters[name] for name in names if parameters.get(name)}

    def to_job_filter(self) -> JobFilter:
        """Convert to the filter of the domain."""
        return JobFilter(
            state=self.state,
            kind=self.kind,
            user_id=UserId(self.user_id) if self.user_id else None,
            error=self.error,
            older_than_s=age_s(self.older_than) if self.older_than else None,
            text=self.text,
        )


def without_secrets(document: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a JSON object and replace its secrets by `…`: an operator does not need them."""

    def copy(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: "…" if name in _SECRETS and member else copy(member) for name, member in value.items()}
        return [copy(item) for item in value] if isinstance(value, list) else value

    copied: dict[str, Any] = copy(document)
    return copied
