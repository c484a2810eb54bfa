"""From findings to alerts: one per app or release and cooldown, the others held and summed up.

Nothing here waits, or looks at a clock.
"""

from __future__ import annotations

from collections.abc import Mapping

from sinks.alerts.alert import Alert, Finding, alert_id
from sinks.alerts.rules import Rule
from sinks.alerts.state import Cooldown, Scope, State


def scope_of(rule: Rule, finding: Finding, state: State) -> Scope:
    """What the finding shares its cooldown with."""
    release = finding.release if rule.group_by == "release" else ""
    scope = (rule.name, finding.app, release)
    if release and state.cooldown(scope) is None and state.is_crowded(rule.name, finding.app):
        return (rule.name, finding.app, "")
    return scope


def tell(rule: Rule, finding: Finding, state: State, now_ms: int) -> Alert | None:
    """The alert of a finding, queued for its channels. In a cooldown: None, and it is held."""
    scope = scope_of(rule, finding, state)
    cooldown = state.cooldown(scope)
    if cooldown is not None and now_ms < cooldown.until_ms:
        state.hold(scope, finding.title)
        return None
    return _queue(rule, finding, state, now_ms, scope, cooldown)


def tell_while(rule: Rule, finding: Finding, state: State, now_ms: int) -> Alert | None:
    """As `tell`, for what is looked at again and again: in a cooldown nothing is held."""
    scope = scope_of(rule, finding, state)
    cooldown = state.cooldown(scope)
    if cooldown is not None and now_ms < cooldown.until_ms:
        return None
    return _queue(rule, finding, state, now_ms, scope, cooldown)


def sum_up(rules: Mapping[str, Rule], state: State, now_ms: int) -> list[Alert]:
    """End the cooldowns that are over: what one of them held becomes one alert."""
    told: list[Alert] = []
    for scope, cooldown in state.over(now_ms):
        rule = rules.get(scope[0])
        if rule is None or not cooldown.held:
            continue
        finding = Finding(
            app=scope[1],
            release=scope[2],
            source=f"held until {cooldown.until_ms}",
            title=f"{cooldown.held} more since the last alert of rule {rule.name}",
        )
        told.append(_queue(rule, finding, state, now_ms, scope, cooldown))
    return told


def _queue(
    rule: Rule, finding: Finding, state: State, now_ms: int, scope: Scope, before: Cooldown | None
) -> Alert:
    alert = Alert(
        id=alert_id(rule.name, finding),
        rule=rule.name,
        kind=kind_of(rule),
        at_ms=now_ms,
        finding=finding,
        held=before.held if before else 0,
        held_titles=before.titles if before else [],
    )
    for channel in rule.channels:
        state.queue(channel, alert, now_ms)
    state.cool(scope, now_ms + int(rule.cooldown_minutes * 60_000))
    return alert


def kind_of(rule: Rule) -> str:
    """Its type in the rule file."""
    return str(type(rule).__struct_config__.tag)
