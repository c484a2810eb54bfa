// Amplitude's server SDK, with the events of an app by its mobile SDKs' names.
import * as amplitude from "@amplitude/analytics-node";
import {
  DEVICE, IS_LIFE, KEY, ORDERS, PROPERTIES, SESSION_SECONDS, URL_BASE, USER, untilTold,
} from "./task.mjs";

await amplitude.init(KEY, {
  serverUrl: `${URL_BASE}/amplitude/2/httpapi`,
  flushIntervalMillis: 500,
}).promise;
const known = {
  device_id: DEVICE, user_id: USER, session_id: SESSION_SECONDS * 1000, app_version: "1.4.2",
};
if (IS_LIFE) {
  amplitude.track("session_start", {}, known);
  amplitude.track("[Amplitude] Application Opened", { "[Amplitude] From Background": false }, known);
  amplitude.track("[Amplitude] Screen Viewed", { "[Amplitude] Screen Name": "Home" }, known);
  amplitude.identify(new amplitude.Identify().set("plan", "pro"), known);
  amplitude.track("[Amplitude] Application Backgrounded", {}, known);
  amplitude.track("session_end", {}, known);
}
for (const order of ORDERS) amplitude.track(order, PROPERTIES, known);
await untilTold();
await amplitude.flush().promise;
