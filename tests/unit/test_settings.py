"""The environment: what must be there, what cannot be meant, and that no value is ever told."""

import pytest

from settings import BadSettings, database_url, from_environment, migration_database_url

GOOD = {
    "DATABASE_URL": "postgresql://mana:very-secret@db/mana",
    "REDIS_URL": "redis://:very-secret@redis/0",
    "MANA_AUTH_URL": "https://auth.example/",
    "MANA_SERVICE_KEY": "very-secret",
    "STRIPE_SECRET_KEY": "sk_test_very-secret",
    "STRIPE_WEBHOOK_SECRET": "whsec_very-secret",
}


NO_ORIGINS = [
    *("*", "null", "app.example", "//app.example", "https://", "https:///", "ftp://x", "https:app.example"),
    *(
        "https://app.example/path",
        "https://app.example//",
        "https://a?b=c",
        "https://a#b",
        "https://u@a",
        "https://u:p@a",
    ),
    *(
        "https://*.mana.how",
        "https://.mana.how",
        "https://a..b",
        "https://app.example.",
        r"https://a\.b",
        "https://[a-z]",
    ),
    *(
        "https://app.example:443",
        "http://app.example:80",
        "https://a:",
        "https://a:0",
        "https://a:65536",
        "https://a:08",
    ),
    *("https://a:x", "https://a:٣", "https://App.example", "HTTPS://app.example", "https://bücher.example"),
    *("https://-a.example", "https://a-.example", f"https://{'a' * 64}", "https://" + "a." * 127 + "a", "https://a b"),
    *("https://127.1", "https://0x7f000001", "https://1", "https://256.1.1.1", "https://[::1", "https://[0:0::1]"),
    *("https://[::1%25eth0]", "https://[::FFFF]", "https://[::1]x", "https://a\x00", "https://a%2eb"),
]
NO_ADDRESSES = [
    *("auth.example", "//auth.example", "ftp://auth.example", "https://", "https:///x", "https:auth.example"),
    *("https://u@auth.example", "https://auth.example?a=b", "https://auth.example#a", "https://auth example"),
    *(
        "https://auth.example:x",
        "https://auth.example:",
        "https://auth.example:0",
        "https://auth.example:99999",
        "https://[::1",
        "https://*.a",
    ),
    *("https:\\\\auth.example", "https://bücher.example", "https://auth.example/\x7f", "javascript://a", "file:///etc"),
]


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(BadSettings) as caught:
        from_environment(environment)
    assert "very-secret" not in str(caught.value)
    return str(caught.value)


def test_the_least_that_is_needed_has_the_defaults_of_the_contract() -> None:
    settings = from_environment(GOOD)

    assert settings.database_url == "postgresql://mana:very-secret@db/mana"
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
    live = {**GOOD, "STRIPE_SECRET_KEY": key, "MANA_SERVICE_KEY": "k" * 32}

    message = refusal({**live, "STRIPE_API_BASE": "http://localhost:12111"})

    assert message == "STRIPE_API_BASE must be empty with a live STRIPE_SECRET_KEY"
    assert from_environment(live).stripe_livemode


def test_a_previous_service_key_is_accepted_beside_the_current_one() -> None:
    settings = from_environment({**GOOD, "MANA_SERVICE_KEY_PREVIOUS": "old-secret"})

    assert settings.service_keys == ("very-secret", "old-secret")
    assert from_environment({**GOOD, "MANA_SERVICE_KEY_PREVIOUS": " "}).service_keys == ("very-secret",)


@pytest.mark.parametrize("url", ["mysql://very-secret@db/mana", "db/mana", "postgresql:/db", "sqlite://", "http://db"])
def test_a_database_that_is_no_postgresql_is_refused(url: str) -> None:
    assert refusal({**GOOD, "DATABASE_URL": url}) == "DATABASE_URL must start with postgresql://"


@pytest.mark.parametrize(
    "url",
    [
        "postgres://db/mana",
        "postgresql://mana:p%40ss%2Fw%3Frd%23%25@db:5433/mana?sslmode=verify-full&sslrootcert=/etc/root.pem",
        "postgresql://mana:very#secret?!$&+@db/mana",
        "postgresql://mana@one:5432,two:5433/mana?target_session_attrs=read-write&connect_timeout=2",
        "postgresql://one,two/mana?load_balance_hosts=random",
        "postgresql://mana@[::1]:5432/mana",
        "postgresql:///mana?host=/var/run/postgresql",
        "postgresql://mana@%2Fvar%2Frun%2Fpostgresql/mana",
        "postgresql://?service=mana",
    ],
)
def test_an_address_that_libpq_can_read_is_handed_on_as_it_is(url: str) -> None:
    assert from_environment({**GOOD, "DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://mana:very-secret@db", "names no database: end it with /name"),
        ("postgresql://mana:very-secret@db/", "names no database: end it with /name"),
        ("postgresql://", "names no database: end it with /name"),
        ("postgresql://mana:very-secret@x@db/mana", "has an @ or / in its user name or password"),
        ("postgresql://mana:very-secret/x@db/mana", "has an @ or / in its user name or password"),
        ("postgresql://mana:very-secret%zz@db/mana", "cannot be read: write postgresql://"),
        ("postgresql://db/mana?very-secret=1", "cannot be read: write postgresql://"),
        ("postgresql://[::1/mana", "cannot be read: write postgresql://"),
        ("postgresql://mana:very-secret@db:port/mana", "must have ports from 1 to 65535"),
        ("postgresql://mana:very-secret@db:0/mana", "must have ports from 1 to 65535"),
        ("postgresql://mana:very-secret@db:65536/mana", "must have ports from 1 to 65535"),
        ("postgresql://a:1,b:2/mana?host=a,b,c", "must have one port for all hosts, or one for each"),
        ("postgresql://db/mana?sslmode=very-secret", "must have one of these as sslmode: disable, allow"),
        ("postgresql://a,b/mana?target_session_attrs=writable", "must have one of these as target_session_attrs: any"),
        ("postgresql://db/mana?connect_timeout=soon", "must have a whole number as connect_timeout"),
        ("postgresql://db/mana?keepalives_idle=1.5", "must have a whole number as keepalives_idle"),
    ],
)
def test_an_address_that_would_fail_later_is_refused_with_a_sentence(url: str, problem: str) -> None:
    assert refusal({**GOOD, "DATABASE_URL": url}).startswith(f"DATABASE_URL {problem}")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (None, "DATABASE_URL is missing or empty"),
        ("mysql://very-secret@db/mana", "DATABASE_URL must start with postgresql://"),
        ("postgresql://mana:very-secret@db", "DATABASE_URL names no database: end it with /name"),
    ],
)
def test_migrations_and_commands_end_with_the_same_sentence(
    monkeypatch: pytest.MonkeyPatch, url: str | None, problem: str
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if url:
        monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(SystemExit) as caught:
        database_url()

    assert caught.value.code == f"mana-credits cannot start: {problem}"


@pytest.mark.parametrize("origins", NO_ORIGINS)
@pytest.mark.parametrize("name", ["CORS_ORIGINS", "MANA_SYNC_URL"])
def test_an_origin_that_is_none_is_refused(name: str, origins: str) -> None:
    assert f"{name} must hold origins like https://app.example" in refusal({**GOOD, name: origins})


def test_our_own_origin_is_that_of_the_base_url() -> None:
    settings = from_environment({**GOOD, "BASE_URL": "https://credits.example:8443/mana/"})

    assert (settings.base_url, settings.own_origin) == (
        "https://credits.example:8443/mana",
        "https://credits.example:8443",
    )


@pytest.mark.parametrize("address", NO_ADDRESSES)
@pytest.mark.parametrize("name", ["BASE_URL", "MANA_AUTH_URL", "MANA_NOTIFY_URL", "STRIPE_API_BASE"])
def test_an_address_that_nobody_could_open_is_refused(name: str, address: str) -> None:
    assert f"{name} must start with http:// or https://" in refusal({**GOOD, name: address})


@pytest.mark.parametrize("address", ["https://Credits.example", "https://c.example:443/x"])
def test_a_base_url_whose_origin_no_browser_sends_is_refused(address: str) -> None:
    assert "BASE_URL must have its host in lower case" in refusal({**GOOD, "BASE_URL": address})


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "https://a",
            "http://localhost:5173",
            "https://xn--bcher-kva.example",
            "http://127.0.0.1:3061",
            "http://[::1]:8",
        ),
        *("https://a:80", "http://a:443", "https://my_app.example", "https://1.example", f"https://{'a' * 63}.example"),
    ],
)
def test_an_origin_as_browsers_send_it_is_kept(origin: str) -> None:
    settings = from_environment({**GOOD, "CORS_ORIGINS": origin, "MANA_SYNC_URL": f"{origin}/", "BASE_URL": origin})

    assert (settings.cors_origins, settings.sync_url, settings.own_origin) == ((origin,), origin, origin)


@pytest.mark.parametrize("address", ["http://auth:3001", "https://Auth.example:443/mana/", "http://[::1]:8080/a/b"])
def test_an_address_of_a_service_is_kept_without_the_slash_at_its_end(address: str) -> None:
    settings = from_environment({**GOOD, "MANA_AUTH_URL": address, "MANA_NOTIFY_URL": address})

    assert settings.auth_url == settings.notify_url == address.rstrip("/")


@pytest.mark.parametrize("name", ["MANA_SERVICE_KEY", "MANA_SERVICE_KEY_PREVIOUS"])
@pytest.mark.parametrize("key", ["x", "1234567", "very secret", "very-secret-ä", "very-secret\x00", "x" * 1_001])
def test_a_service_key_that_is_short_or_fits_no_header_is_refused(name: str, key: str) -> None:
    message = refusal({**GOOD, name: key})

    assert message == f"{name} must have 8 to 1000 visible ASCII characters, without spaces"


def test_a_service_key_is_longer_where_stripe_moves_real_money() -> None:
    live = {**GOOD, "STRIPE_SECRET_KEY": "sk_live_very-secret"}

    assert refusal(live).startswith("MANA_SERVICE_KEY must have 32 to 1000")
    assert from_environment({**live, "MANA_SERVICE_KEY": "k" * 32}).service_keys == ("k" * 32,)


@pytest.mark.parametrize("key", ["pk_test_1", "whsec_1", "test", "sk_test_\x07", "sk_test_ 1", "sk_test_ä"])
def test_a_stripe_key_that_is_none_is_refused(key: str) -> None:
    assert refusal({**GOOD, "STRIPE_SECRET_KEY": key}).startswith("STRIPE_SECRET_KEY must be a secret key")


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "//redis"])
def test_a_redis_that_is_none_is_refused(url: str) -> None:
    assert refusal({**GOOD, "REDIS_URL": url}) == "REDIS_URL must start with redis://, rediss:// or unix://"


def test_origins_are_told_one_by_one() -> None:
    settings = from_environment({**GOOD, "CORS_ORIGINS": " https://app.example/ ,http://localhost:5173,"})

    assert settings.cors_origins == ("https://app.example", "http://localhost:5173")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("JOB_WAIT_SECONDS", value) for value in ("-1", "11", "abc", "nan", "inf", "1e400")),
        *(("TRUSTED_PROXIES", value) for value in ("-1", "10", "2.7", "abc", "nan", "inf")),
        *(("WORKER_METRICS_PORT", value) for value in ("-1", "65536", "abc", "9" * 5_000, "²")),
        *(("PORT", value) for value in ("-1", "65536", "abc", "3061x")),
    ],
)
def test_a_number_out_of_its_bounds_is_refused(name: str, value: str) -> None:
    assert refusal({**GOOD, name: value}).startswith(f"{name} must be a ")


def test_the_port_is_in_the_default_address() -> None:
    assert from_environment({**GOOD, "PORT": "8080"}).base_url == "http://localhost:8080"
    assert from_environment({**GOOD, "BASE_URL": "https://c.example/"}).base_url == "https://c.example"


@pytest.mark.parametrize("namespace", ["mana-credits", "staging", "shop:credits.2_b"])
def test_a_namespace_in_redis_can_be_chosen(namespace: str) -> None:
    assert from_environment(GOOD).redis_namespace == "mana-credits"
    assert from_environment(GOOD | {"REDIS_NAMESPACE": namespace}).redis_namespace == namespace


@pytest.mark.parametrize("namespace", ["a b", ":", "*", "ä", "x" * 65, "a\x1b"])
def test_a_namespace_in_redis_that_is_none_is_refused(namespace: str) -> None:
    with pytest.raises(BadSettings, match="REDIS_NAMESPACE"):
        from_environment(GOOD | {"REDIS_NAMESPACE": namespace})


def test_migrations_have_a_login_of_their_own_if_they_are_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://web@db/mana")
    monkeypatch.setenv("MIGRATION_DATABASE_URL", " ")
    assert migration_database_url() == database_url() == "postgresql://web@db/mana"

    monkeypatch.setenv("MIGRATION_DATABASE_URL", "postgresql://owner@db/mana")
    assert migration_database_url() == "postgresql://owner@db/mana"
    assert database_url() == "postgresql://web@db/mana"

    monkeypatch.setenv("MIGRATION_DATABASE_URL", "mysql://very-secret@db")
    with pytest.raises(SystemExit, match=r"MIGRATION_DATABASE_URL must start with postgresql://$"):
        migration_database_url()


@pytest.mark.parametrize("url", ["https://auth.example/sign-in", "https://auth.example", "http://127.0.0.1:1/a?b=c"])
def test_a_sign_in_page_is_an_address(url: str) -> None:
    assert from_environment({**GOOD, "MANA_AUTH_SIGN_IN_URL": url}).sign_in_url == url
    assert from_environment(GOOD).sign_in_url is None


@pytest.mark.parametrize(
    "url",
    [
        "very-secret",
        "/sign-in",
        "https://",
        "https://x@y/",
        "https://x/#y",
        "ftp://x/",
        "https://bücher.example/",
        "https://x:0/y",
        "https://x/?y#z",
        "https://x/?ä",
    ],
)
def test_a_sign_in_page_that_cannot_be_meant_is_refused(url: str) -> None:
    assert "MANA_AUTH_SIGN_IN_URL must be" in refusal({**GOOD, "MANA_AUTH_SIGN_IN_URL": url})
