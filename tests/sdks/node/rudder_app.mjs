// RudderStack's server SDK, with an app's context given by hand.
import Analytics from "@rudderstack/rudder-sdk-node";
import {
  CONTEXT, DEVICE, IS_LIFE, KEY, ORDERS, PROPERTIES, SESSION_SECONDS, URL_BASE, USER, untilTold,
} from "./task.mjs";

const client = new Analytics(KEY, {
  dataPlaneUrl: `${URL_BASE}/rudder`,
  flushInterval: 500,
  errorHandler: (error) => console.log(String(error)),
});
const context = { ...CONTEXT, sessionId: SESSION_SECONDS };
const known = { userId: USER, anonymousId: DEVICE, context };
if (IS_LIFE) {
  client.track({
    ...known,
    event: "Application Opened",
    properties: { from_background: false },
    context: { ...context, sessionStart: true },
  });
  client.identify({ ...known, traits: { plan: "pro" } });
  client.screen({ ...known, name: "Home" });
  client.track({
    ...known,
    event: "Application Crashed",
    properties: { name: "RangeError", message: "no cart" },
  });
  client.track({ ...known, event: "Application Backgrounded" });
}
for (const event of ORDERS) client.track({ ...known, event, properties: PROPERTIES });
await untilTold();
await client.flush().catch((error) => console.log(String(error)));
process.exit(0);
