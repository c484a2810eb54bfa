"""The pages: which named queries each shows, how, and where their values lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from sinks.console.panel import Chart, Link, Panel

EVENT = Link("/event", {"event_id": "event_id"})
GROUP = Link("/crash", {"group": "crash_group"})
LETTERS = Link("/dead-letters", {"code": "code"})
RELEASE = Link("/releases", {"release": "app_version"})
RELEASE_EVENTS = Link("/live", {"release": "app_version"})
RELEASE_CRASHES = Link("/crash-groups", {"release": "app_version"})
DAY_EVENTS = Link("/live", {"from": "day", "to": "day"})
DAY_RELEASE_EVENTS = Link("/live", {"from": "day", "to": "day", "release": "app_version"})
HOUR_EVENTS = Link("/live", {"from": "hour", "to": "hour"})
HOUR_LETTERS = Link("/dead-letters", {"from": "hour", "to": "hour"})


class Page(Struct, frozen=True, kw_only=True):
    """One page. `params` are those of its URL beside the filters, with what a form calls them."""

    path: str
    name: str
    lead: str
    panels: Sequence[Panel]
    params: Mapping[str, str] = {}
    is_listed: bool = True  # in the navigation
    has_processes: bool = False  # shows what gateway and sink say of themselves, to operators

    @property
    def id(self) -> str:
        return self.path.strip("/") or "overview"

    @property
    def is_live(self) -> bool:
        return any(one.live for one in self.panels)


def line(y: str, y_title: str, x: str = "day", x_title: str = "day (UTC)") -> Chart:
    return Chart(kind="line", x=x, y=y, y_title=y_title, x_title=x_title)


ARRIVAL = "time of arrival (UTC)"
RATE = Panel(
    id="rate",
    query="live_rate",
    title="Events per second, now",
    chart=line("events_per_second", "events per second", "at", ARRIVAL),
    live=True,
)
FRESHNESS = Panel(
    id="freshness",
    query="live_rate",
    title="Freshness: from arrival to a row that can be asked for",
    chart=line("freshness_p50_seconds freshness_max_seconds", "seconds", "at", ARRIVAL),
    live=True,
)
HEALTH = Panel(
    id="health",
    query="crash_free_releases",
    links={
        "app_version": RELEASE,
        "devices": RELEASE_EVENTS,
        "sessions": RELEASE_EVENTS,
        "crash_free_devices_percent": RELEASE_CRASHES,
        "crash_free_sessions_percent": RELEASE_CRASHES,
    },
    wide=True,
)
ADOPTION = Panel(
    id="adoption",
    query="adoption",
    title="Adoption: the release that devices ran last on each day",
    chart=Chart(
        kind="area", x="day", y="share_percent", series="app_version", y_title="devices, %"
    ),
    links=dict.fromkeys(("share_percent", "devices"), DAY_RELEASE_EVENTS),
)
TOP_CRASHES = Panel(
    id="crash-groups",
    query="top_crash_groups",
    columns="crash_type crash_reason crashes devices first_seen last_seen crash_group",
    links=dict.fromkeys(("crash_type", "crashes", "devices"), GROUP),
    wide=True,
    empty="No crash in this period.",
)
REGRESSIONS = Panel(
    id="regressions",
    query="crash_regressions",
    columns="crash_type crash_reason release release_before releases_without came_back crashes"
    " devices sessions_percent crash_group",
    links=dict.fromkeys(("crash_type", "crashes", "devices"), GROUP),
    wide=True,
    empty="No crash came back in this period.",
)
LENGTHS = "length_p50_seconds length_p90_seconds"

OVERVIEW = Page(
    path="/",
    name="Overview",
    lead="How the app does: what arrives now, who uses it, how long, and what breaks.",
    panels=(
        RATE,
        FRESHNESS,
        Panel(
            id="active",
            query="active_devices",
            title="Active devices",
            chart=line("daily_devices weekly_devices monthly_devices", "devices"),
            links={"daily_devices": DAY_EVENTS},
        ),
        ADOPTION,
        TOP_CRASHES,
        HEALTH,
        Panel(
            id="sessions",
            query="session_length",
            title="Sessions",
            chart=Chart(kind="bar", x="day", y="sessions", y_title="sessions"),
            columns="day sessions inferred_close_percent crashed_percent",
            links={"sessions": DAY_EVENTS},
        ),
        Panel(
            id="length",
            query="session_length",
            title="Length of a session",
            chart=line(LENGTHS, "seconds"),
            columns=f"day {LENGTHS}",
        ),
    ),
)
LIVE = Page(
    path="/live",
    name="Events",
    lead="The newest events, and what was rejected at the door, as they arrive.",
    panels=(
        Panel(
            id="tail",
            query="tail",
            title="Accepted events, newest first",
            columns="received_at event_type event_name device_id app_version os_name country"
            " sdk_name sdk_version crash_type event_id",
            links={"event_type": EVENT},
            live=True,
            wide=True,
        ),
        Panel(
            id="rejected",
            query="recent_dead_letters",
            title="Rejected events and other dead letters, newest first",
            columns="dead_at code text protocol app_version device_id event_id",
            links={"event_id": LETTERS},
            live=True,
            wide=True,
            empty="Nothing was rejected in this period.",
        ),
        Panel(
            id="by-sdk",
            query="rejections",
            title="Rejected, by the SDK's protocol, release and reason",
            columns="protocol app_version code events devices last_at text",
            links={"events": LETTERS},
            live=True,
            wide=True,
            empty="Nothing was rejected in this period.",
        ),
    ),
)
RELEASES = Page(
    path="/releases",
    name="Releases",
    lead="How healthy each release is, how it spreads, and two of them side by side.",
    params={"against": "compare with release"},
    panels=(
        HEALTH,
        Panel(
            id="compare",
            query="release_compare",
            needs=("release", "against"),
            needed="Choose a release above, and another one in “compare with release”.",
            links={"devices": RELEASE_EVENTS, "crashed_sessions": RELEASE_CRASHES},
            wide=True,
            empty="Neither release was seen in this period.",
        ),
        msgspec.structs.replace(ADOPTION, wide=True),
        REGRESSIONS,
    ),
)
RETENTION = Page(
    path="/retention",
    name="Retention",
    lead="How many devices of each first day come back, in % of that day's devices.",
    panels=(Panel(id="retention", query="retention", form="triangle", wide=True),),
)
FUNNEL = Page(
    path="/funnel",
    name="Funnel",
    lead="How many devices come from step to step, and where they are lost.",
    params={
        "steps": "steps (event types or names, comma between)",
        "seconds": "within seconds (86400)",
    },
    panels=(
        Panel(
            id="funnel",
            query="funnel",
            chart=Chart(kind="funnel", x="name", y="devices", y_title="devices", x_title=""),
            needs=("steps",),
            needed="Name two to eight steps above, for example: app_open,app_close",
            wide=True,
            empty="No device did the first step in this period.",
        ),
    ),
)
CRASHES = Page(
    path="/crash-groups",
    name="Crashes",
    lead="Crashes with the same exception and the same top frames are one group.",
    panels=(TOP_CRASHES, REGRESSIONS),
)
CRASH = Page(
    path="/crash",
    name="Crash group",
    lead="One crash: how often it happens, in which releases, to which devices, and its stack.",
    params={"group": "crash group"},
    is_listed=False,
    panels=(
        Panel(
            id="trend",
            query="crash_group_trend",
            chart=Chart(kind="bar", x="day", y="crashes devices", y_title="crashes, devices"),
            needs=("group",),
        ),
        Panel(
            id="releases",
            query="crash_group_releases",
            needs=("group",),
            links={"app_version": RELEASE, "crashes": RELEASE_CRASHES, "devices": RELEASE_EVENTS},
        ),
        Panel(id="devices", query="crash_group_devices", needs=("group",), wide=True),
        Panel(id="latest", query="crash_group_latest", needs=("group",), form="record", wide=True),
    ),
)
DEVICE = Page(
    path="/device",
    name="Device",
    lead="Everything one device did, in its own order.",
    params={"device": "device id"},
    is_listed=False,
    panels=(
        Panel(
            id="timeline",
            query="device_timeline",
            needs=("device",),
            columns="ts sequence event_type event_name app_version session_id user_id"
            " time_quality crash_group properties event_id",
            links={"event_type": EVENT},
            wide=True,
            empty="This device sent nothing in this period. Choose more days.",
        ),
    ),
)
EVENT_PAGE = Page(
    path="/event",
    name="Event",
    lead="One event with all that is known of it, from the device to its row.",
    params={"event_id": "event id"},
    is_listed=False,
    panels=(
        Panel(
            id="event",
            query="event_by_id",
            form="record",
            needs=("event_id",),
            needed="Name an event above, by the id that its SDK sent or the one that is stored.",
            wide=True,
            empty="No event has this id. If its POST was answered 200, look at the dead letters.",
        ),
    ),
)
ACCOUNT = Page(
    path="/account",
    name="Account",
    lead="Where every event ended. What came out of Kafka was stored, dropped as a copy, or "
    "dead-lettered: the difference is zero.",
    panels=(
        Panel(
            id="account",
            query="account",
            sums=True,
            must_be_zero="difference",
            links={
                "stored": HOUR_EVENTS,
                "dead_lettered": HOUR_LETTERS,
                "rejected_at_the_door": HOUR_LETTERS,
            },
            wide=True,
        ),
        Panel(
            id="by-release",
            query="account_by_release",
            sums=True,
            links={"stored": RELEASE_EVENTS},
            wide=True,
        ),
    ),
)
DEAD_LETTERS = Page(
    path="/dead-letters",
    name="Dead letters",
    lead="What nobody will store, with the reason and what came. The command telemetry-sink "
    "dead-letters replay puts those of the sink back once their cause is mended.",
    params={"code": "only this code"},
    panels=(
        Panel(
            id="letters",
            query="recent_dead_letters",
            form="record",
            wide=True,
            empty="There is no dead letter in this period.",
        ),
    ),
)
SYSTEM = Page(
    path="/system",
    name="System",
    lead="How fast events become rows, what the sink wrote last, and what gateway and sink say.",
    has_processes=True,
    panels=(
        FRESHNESS,
        Panel(
            id="period-freshness",
            query="freshness",
            title="Freshness over the whole period",
            form="tiles",
        ),
        Panel(id="chunks", query="recent_chunks", wide=True, live=True),
    ),
)

PAGES = (
    OVERVIEW, LIVE, RELEASES, RETENTION, FUNNEL, CRASHES, CRASH, DEVICE, EVENT_PAGE, ACCOUNT,
    DEAD_LETTERS, SYSTEM,
)  # fmt: skip
QUERIES = {"apps", "filter_values"} | {panel.query for page in PAGES for panel in page.panels}
