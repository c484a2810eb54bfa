// PostHog's server SDK as it comes; what the app does not catch it captures itself.
import { PostHog } from "posthog-node";
import { DEVICE, IS_LIFE, KEY, ORDERS, PROPERTIES, SESSION_SECONDS, URL_BASE, crash, untilTold } from "./task.mjs";

const client = new PostHog(KEY, {
  host: `${URL_BASE}/posthog`,
  enableExceptionAutocapture: true,
  flushInterval: 500,
});
client.on("error", (error) => console.log(String(error)));
const session = { $session_id: `session-${SESSION_SECONDS}`, $app_version: "1.4.2" };
const capture = (event, properties = {}) =>
  client.capture({ distinctId: DEVICE, event, properties: { ...session, ...properties } });

if (IS_LIFE) {
  capture("Application Opened", { from_background: false });
  capture("$screen", { $screen_name: "Home" });
  client.identify({ distinctId: DEVICE, properties: { plan: "pro" } });
  capture("Application Backgrounded");
}
for (const order of ORDERS) capture(order, PROPERTIES);
if (IS_LIFE) setImmediate(crash);
await untilTold();
await client.shutdown();
