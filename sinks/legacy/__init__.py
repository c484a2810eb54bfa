"""Rows of systems that cannot post, as Kafka Connect writes them to `legacy.…`, become events that
are posted to the gateway like any app's: checked, ordered and accounted there."""
