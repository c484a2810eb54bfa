"""What is watched, and who is told: rules and channels as the rule file says them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class Common(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What every rule has."""

    channels: Annotated[list[str], Meta(min_length=1, description="who is told")]
    group_by: Annotated[
        Literal["release", "app"], Meta(description="what shares one alert and its cooldown")
    ] = "release"
    cooldown_minutes: Annotated[
        float, Meta(ge=1, le=43_200, description="between two alerts of one app or release")
    ] = 60.0
    name: str = ""  # its key in the file


class NewCrashGroup(Common, frozen=True, kw_only=True, tag="new_crash_group"):
    """A crash group that the app never had."""

    apps: Annotated[list[str], Meta(description="empty: all")] = []
    only_fatal: Annotated[
        bool, Meta(description="leave out groups whose first crash the app survived")
    ] = False


class CrashLoop(Common, frozen=True, kw_only=True, tag="crash_loop"):
    """Crashes at start, again and again."""

    apps: Annotated[list[str], Meta(description="empty: all")] = []
    of: Annotated[
        Literal["device", "app"], Meta(description="crashes of one device, or of all of the app")
    ] = "device"
    crashes: Annotated[int, Meta(ge=1, le=1000, description="so many crashes at start")] = 3
    startup_seconds: Annotated[
        float, Meta(gt=0, le=600, description="after opening that are the start")
    ] = 10.0
    window_minutes: Annotated[float, Meta(gt=0, le=1440, description="within which they came")] = (
        10.0
    )


class Asked(Common, frozen=True, kw_only=True):
    """What every rule has that asks ClickHouse."""

    apps: Annotated[list[str], Meta(min_length=1, description="which are asked about")]
    every_minutes: Annotated[float, Meta(ge=0.1, le=1440, description="between two looks")] = 5.0


class CrashFreeRate(Asked, frozen=True, kw_only=True, tag="crash_free_rate"):
    """A release crashes too much."""

    below_percent: Annotated[float, Meta(gt=0, le=100, description="crash-free, and less is bad")]
    of: Annotated[Literal["sessions", "devices"], Meta(description="share of these")] = "sessions"
    days: Annotated[int, Meta(ge=1, le=30, description="up to today, UTC")] = 1
    at_least: Annotated[
        int, Meta(ge=1, description="sessions or devices; a release with less is left out")
    ] = 100


class Spike(Asked, frozen=True, kw_only=True, tag="spike"):
    """Far more events than in the same minutes of last week."""

    event_type: Annotated[str, Meta(min_length=1, description="which are counted")] = "app_crash"
    window_minutes: Annotated[int, Meta(ge=1, le=1440, description="that are compared")] = 60
    factor: Annotated[float, Meta(gt=1, le=1000, description="times as many are a spike")] = 3.0
    at_least: Annotated[int, Meta(ge=1, description="events; fewer are no spike")] = 50


class Silence(Asked, frozen=True, kw_only=True, tag="silence"):
    """Nothing comes from an app that was heard in the minutes before, or a week ago."""

    window_minutes: Annotated[int, Meta(ge=1, le=1440, description="without an event")] = 30
    at_least: Annotated[
        int, Meta(ge=1, description="events in the minutes before or a week ago; fewer: no alert")
    ] = 10


StreamRule = NewCrashGroup | CrashLoop
TimerRule = CrashFreeRate | Spike | Silence
Rule = StreamRule | TimerRule


class Email(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type",
            tag="email"):  # fmt: skip
    """Mails, by the server of the options."""

    to: Annotated[list[str], Meta(min_length=1, max_length=100, description="addresses")]


class Webhook(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type",
              tag="webhook"):  # fmt: skip
    """A signed POST."""

    url: Annotated[str, Meta(description="https")]
    secret_file: Annotated[
        str, Meta(description="path of the secret: `whsec_` and base64 of 24 bytes or more")
    ]
    secret: bytes = b""  # what the file holds


Channel = Email | Webhook


class RuleBook(Struct, frozen=True):
    """All of a rule file, by name."""

    rules: dict[str, Rule]
    channels: dict[str, Channel]

    @property
    def timers(self) -> list[TimerRule]:
        return [
            one for one in self.rules.values() if isinstance(one, CrashFreeRate | Spike | Silence)
        ]
