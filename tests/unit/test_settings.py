"""The environment: what must be there, what cannot be meant, and that no value is ever told."""

import pytest

from settings import BadSettings, from_environment

GOOD = {
    "DATABASE_URL": "postgresql://mana:very-secret@db/mana",
    "REDIS_URL": "redis://:very-secret@redis/0",
    "MANA_AUTH_URL": "https://auth.example/",
    "MANA_SERVICE_KEY": "very-secret",
    "STRIPE_SECRET_KEY": "sk_test_very-secret",
    "STRIPE_WEBHOOK_SECRET": "whsec_very-secret",
}


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(BadSettings) as caught:
        from_environment(environment)
    assert "very-secret" not in str(caught.value)
    return str(caught.value)


def test_the_least_that_is_needed_has_the_defaults_of_the_contract() -> None:
    settings = from_environment(GOOD)

    assert settings.database_url == "postgresql+psycopg://mana:very-secret@db/mana"
    assert settings.auth_url == "https://auth.example"
    assert settings.service_keys == ("very-secret",)
    assert settings.base_url == "http://localhost:3061"
    assert settings.stripe_webhook_secrets == ("whsec_very-secret",)
    assert (settings.stripe_api_base, settings.notify_url, settings.cors_origins) == (None, None, ())
    assert (settings.job_wait_s, settings.trusted_proxies) == (2.0, 0)
    assert not settings.stripe_livemode


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, "", "  ", "\t\n"])
def test_what_is_missing_or_empty_is_named(name: str, value: str | None) -> None:
    environment = {**GOOD, name: value or ""} if value is not None else {k: v for k, v in GOOD.items() if k != name}

    assert f"{name} is missing or empty" in refusal(environment)


def test_everything_that_is_missing_is_named_at_once() -> None:
    message = refusal({})

    for name in GOOD:
        assert f"{name} is missing or empty" in message


@pytest.mark.parametrize("secret", [",", " , ", "whsec_", "whsec_, whsec_"])
def test_a_webhook_secret_of_nothing_is_refused(secret: str) -> None:
    assert "STRIPE_WEBHOOK_SECRET" in refusal({**GOOD, "STRIPE_WEBHOOK_SECRET": secret})


def test_two_webhook_secrets_may_be_told_while_they_are_rotated() -> None:
    settings = from_environment({**GOOD, "STRIPE_WEBHOOK_SECRET": " whsec_1 , whsec_2,"})

    assert settings.stripe_webhook_secrets == ("whsec_1", "whsec_2")


@pytest.mark.parametrize("key", ["sk_live_very-secret", "rk_live_very-secret"])
def test_a_live_key_is_never_sent_to_another_stripe(key: str) -> None:
    message = refusal({**GOOD, "STRIPE_SECRET_KEY": key, "STRIPE_API_BASE": "http://localhost:12111"})

    assert message == "STRIPE_API_BASE must be empty with a live STRIPE_SECRET_KEY"
    assert from_environment({**GOOD, "STRIPE_SECRET_KEY": key}).stripe_livemode


def test_a_previous_service_key_is_accepted_beside_the_current_one() -> None:
    settings = from_environment({**GOOD, "MANA_SERVICE_KEY_PREVIOUS": "old"})

    assert settings.service_keys == ("very-secret", "old")
    assert from_environment({**GOOD, "MANA_SERVICE_KEY_PREVIOUS": " "}).service_keys == ("very-secret",)


@pytest.mark.parametrize("url", ["mysql://very-secret@db/mana", "db/mana", "postgresql:/db", "sqlite://", "http://db"])
def test_a_database_that_is_no_postgresql_is_refused(url: str) -> None:
    assert refusal({**GOOD, "DATABASE_URL": url}) == "DATABASE_URL must start with postgresql://"


def test_a_database_url_may_begin_with_postgres() -> None:
    assert (
        from_environment({**GOOD, "DATABASE_URL": "postgres://db/mana"}).database_url == "postgresql+psycopg://db/mana"
    )


@pytest.mark.parametrize(
    "origins", ["*", "app.example", "//app.example", "https://", "https://app.example/path", "ftp://x", "https://a?b=c"]
)
@pytest.mark.parametrize("name", ["CORS_ORIGINS", "MANA_SYNC_URL"])
def test_an_origin_that_is_none_is_refused(name: str, origins: str) -> None:
    assert f"{name} must hold origins like https://app.example" in refusal({**GOOD, name: origins})


def test_our_own_origin_is_that_of_the_base_url() -> None:
    settings = from_environment({**GOOD, "BASE_URL": "https://credits.example:8443/mana/"})

    assert (settings.base_url, settings.own_origin) == (
        "https://credits.example:8443/mana",
        "https://credits.example:8443",
    )


@pytest.mark.parametrize(
    "address", ["credits.example", "//credits.example", "ftp://credits.example", "https://", "https:///x"]
)
def test_a_base_url_that_no_browser_could_open_is_refused(address: str) -> None:
    assert "BASE_URL must start with http:// or https://" in refusal({**GOOD, "BASE_URL": address})


def test_origins_are_told_one_by_one() -> None:
    settings = from_environment({**GOOD, "CORS_ORIGINS": " https://app.example/ ,http://localhost:5173,"})

    assert settings.cors_origins == ("https://app.example", "http://localhost:5173")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("JOB_WAIT_SECONDS", value) for value in ("-1", "11", "abc", "nan", "inf", "1e400")),
        *(("TRUSTED_PROXIES", value) for value in ("-1", "10", "2.7", "abc", "nan", "inf")),
        *(("WORKER_METRICS_PORT", value) for value in ("-1", "65536", "abc")),
    ],
)
def test_a_number_out_of_its_bounds_is_refused(name: str, value: str) -> None:
    assert refusal({**GOOD, name: value}).startswith(f"{name} must be a ")


def test_the_port_is_in_the_default_address() -> None:
    assert from_environment({**GOOD, "PORT": "8080"}).base_url == "http://localhost:8080"
    assert from_environment({**GOOD, "BASE_URL": "https://c.example/"}).base_url == "https://c.example"


@pytest.mark.parametrize("url", ["https://auth.example/sign-in", "https://auth.example", "http://127.0.0.1:1/a?b=c"])
def test_a_sign_in_page_is_an_address(url: str) -> None:
    assert from_environment({**GOOD, "MANA_AUTH_SIGN_IN_URL": url}).sign_in_url == url
    assert from_environment(GOOD).sign_in_url is None


@pytest.mark.parametrize("url", ["very-secret", "/sign-in", "https://", "https://x@y/", "https://x/#y", "ftp://x/"])
def test_a_sign_in_page_that_cannot_be_meant_is_refused(url: str) -> None:
    assert "MANA_AUTH_SIGN_IN_URL must be" in refusal({**GOOD, "MANA_AUTH_SIGN_IN_URL": url})
