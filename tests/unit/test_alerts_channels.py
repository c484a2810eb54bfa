"""Mails and webhooks: what they hold, whom they reach, and what they say when they fail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.runtime import ConfigError
from sinks.alerts.address import Private, PublicResolver, is_allowed
from sinks.alerts.alert import MAX_TITLE_LENGTH, Alert, Finding
from sinks.alerts.channels import deliveries
from sinks.alerts.config import AlertsConfig
from sinks.alerts.delivery import Delivery, Failed, Refused
from sinks.alerts.mail import html_of, message_of, text_of
from sinks.alerts.rules import Channel, Email, RuleBook, Webhook
from tests.receivers import (
    PASSWORD,
    USER,
    Authority,
    HookServer,
    MailServer,
    hook_server,
    mail_server,
)

SECRET = b"0123456789abcdef01234567"
CONSOLE = "https://console.example.com/"
ALERT = Alert(
    id="0192f0c0-4c1e-7a10-8a54-1f2f3c4d5e6f",
    rule="new-crash",
    kind="new_crash_group",
    at_ms=1_795_497_600_000,
    finding=Finding(
        app="shop",
        release="1.4.2",
        source="e-1",
        title="new crash: java.lang.IllegalStateException",
        facts=[("reason", "basket <b>empty</b> & lost")],
        frames=["com.shop.Basket.total (Basket.kt:42)", "com.shop.<init>"],
        crash_group="00000000000000ff",
    ),
    held=2,
    held_titles=["new crash: <script>"],
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def mail(authority: Authority) -> AsyncIterator[MailServer]:
    async with mail_server(authority) as server:
        yield server


@pytest.fixture
async def hook(authority: Authority) -> AsyncIterator[HookServer]:
    async with hook_server(authority) as server:
        yield server


def config_of(authority: Authority, **changes: object) -> AlertsConfig:
    every = {
        "ca_path": str(authority.path),
        "smtp_host": "localhost",
        "smtp_user": USER,
        "smtp_password": PASSWORD,
        "smtp_from": "alerts@example.com",
        "console_url": CONSOLE,
        "webhook_allow_loopback": True,
        **changes,
    }
    return msgspec.convert(every, AlertsConfig)


def channel_of(config: AlertsConfig, channel: Channel) -> Delivery:
    return deliveries(config, RuleBook({}, {"one": channel}))["one"]


def mailer(authority: Authority, mail: MailServer, **changes: object) -> Delivery:
    config = config_of(authority, **{"smtp_port": mail.port, **changes})
    return channel_of(config, Email(to=["oncall@example.com", "boss@example.com"]))


def caller(
    authority: Authority, hook: HookServer, host: str = "localhost", **changes: object
) -> Delivery:
    url = f"https://{host}:{hook.port}/hook?token=hidden"
    channel = Webhook(url=url, secret_file="", secret=SECRET)
    return channel_of(config_of(authority, **changes), channel)


class TestMail:
    async def test_a_mail_server_gets_it_behind_starttls_and_a_login(
        self, authority: Authority, mail: MailServer
    ) -> None:
        await mailer(authority, mail).deliver(ALERT)

        (message,) = mail.mails
        assert mail.recipients == [["oncall@example.com", "boss@example.com"]]
        assert message["Subject"] == "[shop 1.4.2] new crash: java.lang.IllegalStateException"
        assert message["Message-ID"] == f"<{ALERT.id}@example.com>"
        text, html = (message.get_body([kind]) for kind in ("plain", "html"))
        assert text is not None
        assert html is not None
        link = f"{CONSOLE}crash?app=shop&group=00000000000000ff"
        for part in ("com.shop.Basket.total (Basket.kt:42)", "2 more since the last alert"):
            assert part in text.get_content()
            assert part in html.get_content()
        assert link in text.get_content()
        assert link.replace("&", "&amp;") in html.get_content()

    def test_nothing_that_an_app_sends_is_markup(self) -> None:
        html = html_of(ALERT, "")

        assert "basket &lt;b&gt;empty&lt;/b&gt; &amp; lost" in html
        assert "com.shop.&lt;init&gt;" in html
        assert "<script>" not in html
        assert "<a " not in html

    @settings(max_examples=50)
    @given(st.text(), st.text(), st.text())
    def test_any_text_makes_one_mail_with_one_short_subject(
        self, app: str, title: str, reason: str
    ) -> None:
        finding = Finding(app=app, release="", source="", title=title, facts=[("reason", reason)])
        alert = msgspec.structs.replace(ALERT, finding=finding)

        message = message_of(alert, "alerts@example.com", ["a@example.com"], CONSOLE)

        assert message["To"] == "a@example.com"
        assert len(message["Subject"]) <= MAX_TITLE_LENGTH
        assert message.get_all("Bcc") is None
        assert b"\r\n\r\n" in message.as_bytes().replace(b"\n", b"\r\n")

    @pytest.mark.parametrize(
        ("answer", "outcome"),
        [("451 later", Failed), ("554 never", Refused)],
    )
    async def test_a_server_s_no_is_for_now_or_for_good(
        self, authority: Authority, mail: MailServer, answer: str, outcome: type[Exception]
    ) -> None:
        mail.answer = answer

        with pytest.raises(outcome, match=answer[:3]):
            await mailer(authority, mail).deliver(ALERT)

        assert mail.tries == 1

    @pytest.mark.parametrize(
        "changes",
        [
            {"smtp_password": "wrong-password"},
            {"smtp_host": "127.0.0.2"},
            {"ca_path": ""},
            {"smtp_security": "tls"},
            {"smtp_security": "none", "smtp_user": "", "smtp_password": ""},
        ],
    )
    async def test_a_server_that_cannot_be_trusted_or_used_fails_for_now(
        self, authority: Authority, mail: MailServer, changes: dict[str, object]
    ) -> None:
        with pytest.raises(Failed) as told:
            await mailer(authority, mail, smtp_timeout_seconds=5, **changes).deliver(ALERT)

        assert "wrong-password" not in str(told.value)
        assert mail.mails == []

    def test_a_password_is_not_sent_in_clear(self, authority: Authority) -> None:
        with pytest.raises(ConfigError, match="TELEMETRY_ALERTS_SMTP_SECURITY"):
            channel_of(config_of(authority, smtp_security="none"), Email(to=["a@b.c"]))


class TestWebhook:
    async def test_a_receiver_can_check_who_sent_what_and_when(
        self, authority: Authority, hook: HookServer
    ) -> None:
        channel = caller(authority, hook)
        await channel.deliver(ALERT)
        await channel.deliver(ALERT)

        assert [headers["Idempotency-Key"] for headers, _ in hook.posts] == [ALERT.id] * 2
        headers, body = hook.posts[0]
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = base64.b64encode(hmac.new(SECRET, content, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{digest}"
        assert json.loads(body)["frames"] == ALERT.finding.frames

    @pytest.mark.parametrize("status", [307, 400, 404, 500, 503])
    async def test_only_a_2xx_is_a_yes(
        self, authority: Authority, hook: HookServer, status: int
    ) -> None:
        hook.status = status

        with pytest.raises(Failed, match=f"answered {status}"):
            await caller(authority, hook).deliver(ALERT)

        assert hook.tries == 1

    @pytest.mark.parametrize(
        ("host", "changes"),
        [
            ("localhost", {"webhook_allow_loopback": False}),
            ("127.0.0.1", {"webhook_allow_loopback": False}),
            ("[::ffff:127.0.0.1]", {"webhook_allow_loopback": False}),
            ("10.0.0.1", {}),
            ("169.254.169.254", {}),
        ],
    )
    async def test_a_private_address_is_not_called(
        self, authority: Authority, hook: HookServer, host: str, changes: dict[str, object]
    ) -> None:
        with pytest.raises(Failed, match="its address is not a public one") as told:
            await caller(authority, hook, host, **changes).deliver(ALERT)

        assert hook.tries == 0
        assert "hidden" not in str(told.value)

    async def test_a_receiver_without_a_trusted_certificate_is_not_told(
        self, authority: Authority, hook: HookServer
    ) -> None:
        with pytest.raises(Failed):
            await caller(authority, hook, ca_path="").deliver(ALERT)

        assert hook.tries == 0


class Answers(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in self._addresses
        ]

    async def close(self) -> None:
        return


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        ["10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
         "224.0.0.1", "255.255.255.255", "fe80::1", "fe80::1%eth0", "fc00::1", "::", "ff02::1",
         "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:0a00:0001::1", "name", ""],
    )  # fmt: skip
    def test_what_is_not_public_is_refused_with_loopback_allowed_or_not(self, address: str) -> None:
        assert not is_allowed(address, allow_loopback=True)
        assert not is_allowed(address, allow_loopback=False)

    @pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
    def test_loopback_is_an_option(self, address: str) -> None:
        assert is_allowed(address, allow_loopback=True)
        assert not is_allowed(address, allow_loopback=False)

    @pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
    def test_public_ones_are_allowed(self, address: str) -> None:
        assert is_allowed(address, allow_loopback=False)

    async def test_one_private_address_among_public_ones_refuses_the_name(self) -> None:
        good = PublicResolver(allow_loopback=False, resolver=Answers("8.8.8.8"))
        mixed = PublicResolver(allow_loopback=False, resolver=Answers("8.8.8.8", "10.0.0.1"))

        assert [one["host"] for one in await good.resolve("a.example")] == ["8.8.8.8"]
        with pytest.raises(Private):
            await mixed.resolve("b.example")


def test_the_text_says_what_the_mail_says() -> None:
    assert text_of(ALERT, "").splitlines() == [
        "[shop 1.4.2] new crash: java.lang.IllegalStateException",
        "",
        "reason: basket <b>empty</b> & lost",
        "",
        "    com.shop.Basket.total (Basket.kt:42)",
        "    com.shop.<init>",
        "",
        "2 more since the last alert of this rule:",
        "  - new crash: <script>",
        "",
        "Rule new-crash (new_crash_group)",
    ]
