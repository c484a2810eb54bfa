"""Grafana's dashboards over the named queries and the metrics, as files."""
