"""Alerts: rules over the stream and over named queries, told by e-mail and webhook."""
