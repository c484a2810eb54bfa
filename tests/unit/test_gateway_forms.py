"""Forms with JSON in them."""

from __future__ import annotations

import base64
from urllib.parse import quote_plus, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.refusal import RefusalCode, Refused
from gateway.protocols import forms

ODD = st.text(alphabet="%=+aF0& \n\r\t4_zé", max_size=40).map(str.encode)
JSON = b'{"event":"caf\xc3\xa9 ~~~???>>>"}'


@given(ODD)
def test_unescaped_as_the_standard_library_does(text: bytes) -> None:
    assert forms.unescape(text) == unquote_to_bytes(text.replace(b"+", b" "))


@given(st.dictionaries(st.text(min_size=1, max_size=10), st.binary(max_size=40), max_size=10))
def test_what_is_escaped_comes_back(fields: dict[str, bytes]) -> None:
    body = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in fields.items())

    assert forms.fields(body.encode()) == fields


@pytest.mark.parametrize(
    "value",
    [
        JSON,
        base64.b64encode(JSON),
        base64.b64encode(JSON).rstrip(b"="),
        base64.urlsafe_b64encode(JSON),
        base64.b64encode(JSON).replace(b"+", b" "),
        base64.encodebytes(JSON).rstrip(b"\n"),
    ],
)
def test_json_comes_as_it_is_or_in_any_base64(value: bytes) -> None:
    assert forms.json_of(value) == JSON


@pytest.mark.parametrize("value", [b"a", b"!!!!", b"e30=e30=", b"\xff"])
def test_anything_else_is_refused(value: bytes) -> None:
    with pytest.raises(Refused) as caught:
        forms.json_of(value)

    assert caught.value.code is RefusalCode.INVALID_JSON


def test_more_fields_than_any_sdk_sends_are_refused() -> None:
    assert len(forms.fields(b"&".join([b"a%d=1" % n for n in range(forms.MAX_FIELDS)]))) == 32
    with pytest.raises(Refused, match="more than 32 fields"):
        forms.fields(b"&" * forms.MAX_FIELDS)


def test_a_value_of_broken_escapes_is_refused() -> None:
    assert forms.unescape(b"%" * forms.MAX_STRAYS) == b"%" * forms.MAX_STRAYS
    with pytest.raises(Refused, match="percent-encoding"):
        forms.unescape(b"%" * (forms.MAX_STRAYS + 1))
