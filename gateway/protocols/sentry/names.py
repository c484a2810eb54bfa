"""Sentry's words as ours."""

from __future__ import annotations

from gateway.contract.event import CrashKind

# Mechanism types, in lower case; every other one is an exception.
KINDS: dict[str, CrashKind] = {
    "signalhandler": "signal",
    "signal": "signal",
    "minidump": "signal",
    "tombstone": "signal",
    "mach": "mach_exception",
    "mach_exception": "mach_exception",
    "anr": "anr",
    "apphang": "anr",
    "anr_foreground": "anr",
    "anr_background": "anr",
    "appexitinfo": "anr",
    "historicalappexitinfo": "anr",
    "watchdog_termination": "oom",
}

# Event keys that keep their own name as properties; all others are put under `$event.`.
PLAIN = ("level", "environment", "logger", "transaction", "tags", "extra")

RUNNING = "ok"  # the one status of a session that is not over

# What SDKs need not send, for an hour from each answer: it is of no use here. They obey on a 200.
UNWANTED = b"3600:transaction;span;profile;profile_chunk;replay;attachment:key"
