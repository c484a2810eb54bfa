"""Sentry's SDK as it comes: it captures what the app does not catch, and keeps sessions."""

import sentry_sdk

from tests.sdks.python.task import DEVICE, IS_LIFE, KEY, ORDERS, PROPERTIES, URL, crash, until_told

sentry_sdk.init(
    dsn=f"{URL}/1".replace("//", f"//{KEY}@"),
    release="com.example.demo@1.4.2+142",
    auto_session_tracking=False,
    shutdown_timeout=10,
)
sentry_sdk.set_user({"id": DEVICE})
if IS_LIFE:
    scope = sentry_sdk.get_isolation_scope()
    scope.start_session()
    scope.end_session()
    try:
        crash()
    except LookupError:
        sentry_sdk.capture_exception()
for order in ORDERS:
    with sentry_sdk.new_scope() as scope:
        scope.set_extra("order", PROPERTIES)
        sentry_sdk.capture_message(order)
if IS_LIFE:
    crash()
until_told()
