"""Expressions of Prometheus that panels have in common."""

from __future__ import annotations


def rate(metric: str, by: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({metric}[$__rate_interval]))"


def quantile(level: float, metric: str) -> str:
    return f"histogram_quantile({level}, {rate(f'{metric}_bucket', 'le')})"


def median_and_p99(metric: str) -> dict[str, str]:
    """By legend: the median and the 99th percentile."""
    return {"p50": quantile(0.5, metric), "p99": quantile(0.99, metric)}


def share(metric: str, by: str, chosen: str) -> str:
    """Of all POSTs."""
    return (
        f"sum by ({by}) (rate({metric}{{{chosen}}}[$__rate_interval]))"
        " / scalar(sum(rate(telemetry_gateway_http_requests_total[$__rate_interval])))"
    )
