"""The alert rules and dashboards, judged by the real Prometheus."""
