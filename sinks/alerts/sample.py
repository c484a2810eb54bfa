"""What an alert of a rule looks like: for trying its channels out."""

from __future__ import annotations

from sinks.alerts.alert import Alert, Finding
from sinks.alerts.decide import kind_of
from sinks.alerts.rules import CrashFreeRate, CrashLoop, NewCrashGroup, Rule

_FRAMES = [
    "com.example.shop.Basket.total (Basket.kt:42)",
    "com.example.shop.BasketView.onResume (BasketView.kt:17)",
]


def sample(rule: Rule, alert_id: str, at_ms: int) -> Alert:
    """An alert that says that it is a test."""
    has_crash = isinstance(rule, NewCrashGroup | CrashLoop)
    finding = Finding(
        app=rule.apps[0] if rule.apps else "your-app",
        release="1.0.0" if has_crash or isinstance(rule, CrashFreeRate) else "",
        source=alert_id,
        title=f"test of rule {rule.name}: nothing happened",
        facts=[("crash", "java.lang.IllegalStateException")] if has_crash else [],
        frames=_FRAMES if has_crash else [],
    )
    return Alert(id=alert_id, rule=rule.name, kind=kind_of(rule), at_ms=at_ms, finding=finding)
