"""Limits per address and device, and on guessing keys: off by default, bounded when they are on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.addresses import Addresses
from gateway.edge.rates import Rates
from gateway.protocols.protocol import Head
from gateway.runtime import ConfigError
from tests.builders import RECEIVED_MS, make_batch, make_event
from tests.gateway_app import GatewayUnderTest


def head(peer: str, forwarded: str | None = None) -> Head:
    headers = {} if forwarded is None else {b"x-forwarded-for": forwarded.encode()}
    return Head("POST", "/v1/events", b"", headers, peer)


class TestRates:
    def test_ten_seconds_worth_may_come_at_once(self) -> None:
        rates = Rates(per_second=3)

        assert [rates.take("a", 1000.0) for _ in range(31)] == [True] * 30 + [False]
        assert rates.take("b", 1000.0)

    @pytest.mark.parametrize("per_second", [0.001, 0.02])
    def test_a_slow_rate_still_lets_one_through(self, per_second: float) -> None:
        rates = Rates(per_second)

        assert [rates.take("a", now) for now in (5.0, 6.0, 5.1 + 1 / per_second)] == [
            True,
            False,
            True,
        ]

    def test_looking_takes_nothing(self) -> None:
        rates = Rates(per_second=0.1)

        assert [rates.has("a", 0.0) for _ in range(9)] == [True] * 9
        assert rates.take("a", 0.0)
        assert not rates.has("a", 0.0)

    @given(st.lists(st.floats(0, 2), min_size=1, max_size=200), st.sampled_from([0.5, 2.0, 7.0]))
    def test_never_more_than_the_burst_and_the_rate(
        self, pauses: list[float], per_second: float
    ) -> None:
        rates, now, taken = Rates(per_second), 0.0, 0
        for pause in pauses:
            now += pause
            taken += rates.take("a", now)

        assert taken <= per_second * (10 + now) + 1e-3
        assert taken >= min(len(pauses), int(per_second * 10))

    def test_a_million_names_take_no_more_room_than_the_bound(self) -> None:
        rates = Rates(per_second=0.1, max_names=1000)
        for number in range(1_000_000):
            rates.take(f"a{number}", 0.0)

        assert len(rates) == 1000
        assert not rates.take("a999999", 0.0)


class TestAddress:
    @pytest.mark.parametrize(
        ("trusted", "peer", "forwarded", "name"),
        [
            ("", "192.0.2.1", None, "192.0.2.1"),
            ("", "192.0.2.1", "10.9.9.9", "192.0.2.1"),  # anybody can say so
            ("10.0.0.0/8", "192.0.2.1", "10.9.9.9", "192.0.2.1"),
            ("10.0.0.0/8", "10.1.1.1", "192.0.2.7", "192.0.2.7"),
            ("10.0.0.0/8", "10.1.1.1", "6.6.6.6, 192.0.2.7", "192.0.2.7"),
            ("10.0.0.0/8", "10.1.1.1", "6.6.6.6, 192.0.2.7, 10.2.2.2", "192.0.2.7"),
            ("10.0.0.0/8", "10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
            ("10.0.0.0/8", "10.1.1.1", "6.6.6.6, what, 10.2.2.2", "10.2.2.2"),
            ("10.0.0.0/8", "10.1.1.1", "", "10.1.1.1"),
            ("10.0.0.0/8", "10.1.1.1", None, "10.1.1.1"),
            ("10.1.1.1", "10.1.1.1", "192.0.2.7:4711", "192.0.2.7"),
            ("::1, 10.1.1.1", "::1", "[2001:db8:1:2:3::9]:80", "2001:db8:1:2::/64"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:192.0.2.7", "192.0.2.7"),
            ("", "fe80::1%eth0", None, "fe80::/64"),
            ("", "", "192.0.2.7", "unknown"),
            ("10.0.0.0/8", "10.1.1.1", "6.6.6.6" + ", 10.2.2.2" * 50, "10.2.2.2"),
        ],
    )
    def test_is_the_nearest_that_nobody_vouches_for(
        self, trusted: str, peer: str, forwarded: str | None, name: str
    ) -> None:
        assert Addresses(trusted).name_of(head(peer, forwarded)) == name

    @given(st.text(max_size=60))
    def test_no_header_of_an_untrusted_peer_changes_its_name(self, forwarded: str) -> None:
        said = Head("POST", "/", b"", {b"x-forwarded-for": forwarded.encode("utf-8", "replace")})
        trusting = Head(said.method, said.path, said.query, said.headers, "10.0.0.1")

        assert Addresses("").name_of(trusting) == "10.0.0.1"
        Addresses("10.0.0.0/8").name_of(trusting)  # and no header is an error

    @pytest.mark.parametrize("trusted", ["10.0.0.1/8", "nowhere", "10.0.0.0/33", "*"])
    def test_what_is_no_network_is_named(self, trusted: str) -> None:
        with pytest.raises(ConfigError, match="TELEMETRY_GATEWAY_TRUSTED_PROXIES: "):
            Addresses(trusted)


def statuses(gateway: GatewayUnderTest, count: int, **headers: str) -> list[int]:
    return [gateway.post(make_batch(), **headers).status_code for _ in range(count)]


class TestLimits:
    """The test client's address is the same for all; its clock stands still."""

    def under(self, folder: Path, **options: Any) -> GatewayUnderTest:
        return GatewayUnderTest(folder, **options, trusted_proxies="192.0.2.1", peer="192.0.2.1")

    def test_all_are_off_by_default(self, gateway: GatewayUnderTest) -> None:
        assert statuses(gateway, 200) == [200] * 200
        assert statuses(gateway, 200, authorization="Bearer wrong") == [401] * 200

    def test_an_address_is_limited_before_its_body_is_read(self, tmp_path: Path) -> None:
        gateway = self.under(tmp_path, address_requests_per_second=0.5)

        assert statuses(gateway, 6, x_forwarded_for="192.0.2.7") == [200] * 5 + [429]
        assert statuses(gateway, 1, x_forwarded_for="192.0.2.8") == [200]
        answer = gateway.post(b"{", x_forwarded_for="192.0.2.7")
        assert answer.json()["error"]["code"] == "address_over_rate"
        assert 5 <= int(answer.headers["retry-after"]) <= 300

    def test_a_device_is_limited_wherever_its_id_stands(self, tmp_path: Path) -> None:
        gateway = self.under(tmp_path, device_requests_per_second=0.2)
        own = make_event(context={"device": {"id": "device-1"}})

        assert statuses(gateway, 3) == [200, 200, 429]
        answer = gateway.post(make_batch(own, context=None))
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "device_over_rate")
        assert gateway.count("refused") == 2
        other = make_batch(context={"device": {"id": "device-2"}})
        assert gateway.post(other).status_code == 200

    def test_whoever_guesses_keys_learns_nothing_more(self, tmp_path: Path) -> None:
        gateway = self.under(tmp_path, unknown_keys_per_minute=18)  # three at once
        first = [gateway.post(b"{", authorization=f"Bearer guess-{n}") for n in range(3)]
        wrong, right = gateway.post(b"{", authorization="Bearer guess-4"), gateway.post(b"{")

        assert [one.status_code for one in first] == [401] * 3
        assert len({one.content for one in first}) == 1
        assert (wrong.status_code, wrong.content) == (right.status_code, right.content)
        assert wrong.json()["error"]["code"] == "too_many_unknown_keys"
        assert statuses(gateway, 1, x_forwarded_for="192.0.2.9") == [200]
        counted = gateway.http.get("/metrics").text
        assert 'refused_requests_total{code="too_many_unknown_keys"} 2.0' in counted

    def test_keys_that_are_known_are_no_guesses(self, tmp_path: Path) -> None:
        gateway = self.under(tmp_path, unknown_keys_per_minute=6)

        assert statuses(gateway, 50) == [200] * 50

    def test_a_bucket_fills_again(self, tmp_path: Path) -> None:
        gateway = self.under(tmp_path, address_requests_per_second=0.5)
        statuses(gateway, 5)

        assert statuses(gateway, 1) == [429]
        gateway.clock_ms = RECEIVED_MS + 2_000
        assert statuses(gateway, 2) == [200, 429]
