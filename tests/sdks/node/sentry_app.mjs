// Sentry's SDK as it comes: it captures what the app does not catch, and keeps a session.
import * as Sentry from "@sentry/node";
import { DEVICE, IS_LIFE, KEY, ORDERS, PROPERTIES, URL_BASE, crash, untilTold } from "./task.mjs";

Sentry.init({
  dsn: `${URL_BASE}/1`.replace("//", `//${KEY}@`),
  release: "com.example.demo@1.4.2+142",
  shutdownTimeout: 10000,
});
Sentry.setUser({ id: DEVICE });
if (IS_LIFE) {
  try {
    crash();
  } catch (error) {
    Sentry.captureException(error);
  }
}
for (const order of ORDERS) Sentry.captureMessage(order, { extra: { order: PROPERTIES } });
if (IS_LIFE) setImmediate(crash);
await untilTold();
await Sentry.close(5000);
