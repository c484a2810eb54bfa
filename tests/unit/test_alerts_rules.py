"""The rule file: what it may say, and what is said of one that is wrong."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from sinks.alerts.rule_file import RuleError, parse_rules
from sinks.alerts.rules import (
    CrashFreeRate,
    CrashLoop,
    Email,
    NewCrashGroup,
    Silence,
    Spike,
    Webhook,
)
from sinks.alerts.webhook import signed

SECRET = b"0123456789abcdef01234567"
MAIL = '[channel.oncall]\ntype = "email"\nto = ["oncall@example.com"]\n'
RULE = '[rule.new-crash]\ntype = "new_crash_group"\nchannels = ["oncall"]\n'
HOOK = (
    '[channel.chat]\ntype = "webhook"\nurl = "https://example.com/hook"\nsecret_file = "secret"\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("whsec_" + b64encode(SECRET).decode() + "\n")
    return tmp_path


def test_rules_and_channels_are_read(folder: Path) -> None:
    loop = '[rule.loop]\ntype = "crash_loop"\nchannels = ["oncall", "chat"]\ncrashes = 5\n'

    book = parse_rules(MAIL + HOOK + RULE + loop, folder)

    assert book.channels["oncall"] == Email(to=["oncall@example.com"])
    hook = Webhook(url="https://example.com/hook", secret_file="secret", secret=SECRET)
    assert book.channels["chat"] == hook
    assert book.rules["new-crash"] == NewCrashGroup(channels=["oncall"], name="new-crash")
    assert book.rules["loop"] == CrashLoop(channels=["oncall", "chat"], crashes=5, name="loop")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rule = [", "no TOML"),
        ("", "there is no rule; one is a table [rule.NAME]"),
        (MAIL + RULE + "[rules.x]\n", "rules: a rule file has tables"),
        (MAIL + RULE.replace('"oncall"', '"oncal"'),
         "rule new-crash: channels: there is no channel oncal; did you mean oncall?"),
        (MAIL + RULE.replace("_group", "_grp"),
         "rule new-crash: type: Invalid value 'new_crash_grp'"),
        (MAIL + RULE + "cooldown_minutes = 0\n", "rule new-crash: cooldown_minutes: Expected"),
        (MAIL + RULE + 'only_fatal = "yes"\n', "rule new-crash: only_fatal: Expected `bool`"),
        (MAIL + RULE + "cooldown = 5\n",
         "rule new-crash: cooldown: is no option; did you mean cooldown_minutes?"),
        (MAIL + RULE + 'name = "other"\n', "rule new-crash: name: is no option"),
        (MAIL + '[rule.s]\ntype = "silence"\nchannels = ["oncall"]\n', "rule s: apps: is missing"),
        (MAIL.replace("oncall@example.com", "oncall") + RULE,
         "channel oncall: to: 'oncall' is no mail address"),
        (MAIL.replace("oncall@example.com", "a@b.c>\\nBcc: x@y.z") + RULE,
         "channel oncall: to:"),
        (MAIL + RULE + HOOK.replace("https", "http"), "channel chat: url: must be https://"),
        (MAIL + RULE + HOOK.replace("https://", "https://user:pass@"),
         "channel chat: url: must be"),
        (MAIL + RULE + HOOK.replace('"secret"', '"nowhere"'),
         "channel chat: secret_file: {folder}/nowhere: No such file"),
        (MAIL + RULE + HOOK + 'secret = "x"\n', "channel chat: secret: is no option"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_by_rule_and_field(folder: Path, text: str, said: str) -> None:
    with pytest.raises(RuleError) as told:
        parse_rules(text, folder)

    assert str(told.value).startswith(said.replace("{folder}", str(folder)))


@pytest.mark.parametrize(
    ("secret", "said"),
    [("whsec_c2hvcnQ=", "has less than 24 bytes"), ("whsec_?", "it is not base64")],
)
def test_a_weak_or_broken_secret_is_told_and_not_shown(
    folder: Path, secret: str, said: str
) -> None:
    (folder / "secret").write_text(secret)

    with pytest.raises(RuleError) as told:
        parse_rules(MAIL + RULE + HOOK, folder)

    assert said in str(told.value)
    assert secret not in str(told.value)


def test_the_page_s_rule_file_is_one(folder: Path) -> None:
    (folder / "webhook-secret").write_text("whsec_" + b64encode(SECRET).decode())

    book = parse_rules(_block("toml"), folder)

    kinds = {type(one) for one in book.rules.values()}
    assert kinds == {NewCrashGroup, CrashLoop, CrashFreeRate, Spike, Silence}


def test_the_page_s_check_of_a_signature_knows_ours_from_others() -> None:
    names: dict[str, Any] = {}
    exec(_block("python"), names)  # noqa: S102  # the reader does the same
    secret = "whsec_" + b64encode(SECRET).decode()
    now = int(time.time())
    headers = signed(SECRET, "alert-1", now, b"{}")
    old = signed(SECRET, "alert-1", now - 400, b"{}")

    assert names["is_ours"](headers, b"{}", secret)
    assert not names["is_ours"](headers, b"{ }", secret)
    assert not names["is_ours"]({**headers, "webhook-id": "alert-2"}, b"{}", secret)
    assert not names["is_ours"](old, b"{}", secret)


def _block(language: str) -> str:
    """The one block of docs/ALERTS.md in that language."""
    page = (Path(__file__).parents[2] / "docs" / "ALERTS.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
    return str(block)
