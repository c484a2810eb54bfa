// Segment's server SDK, with an app's context given by hand.
import { Analytics } from "@segment/analytics-node";
import { CONTEXT, DEVICE, IS_LIFE, KEY, ORDERS, PROPERTIES, URL_BASE, USER, untilTold } from "./task.mjs";

const client = new Analytics({ writeKey: KEY, host: URL_BASE });
client.on("error", (error) => console.log(error.code));
const known = { userId: USER, anonymousId: DEVICE, context: CONTEXT };
if (IS_LIFE) {
  client.identify({ ...known, traits: { plan: "pro" } });
  client.track({ ...known, event: "Application Opened", properties: { from_background: false } });
  client.screen({ ...known, name: "Home" });
  client.track({
    ...known,
    event: "Application Crashed",
    properties: { name: "RangeError", message: "no cart" },
  });
  client.track({ ...known, event: "Application Backgrounded" });
}
for (const event of ORDERS) client.track({ ...known, event, properties: PROPERTIES });
void client.flush();
await untilTold();
await client.closeAndFlush({ timeout: 5000 });
