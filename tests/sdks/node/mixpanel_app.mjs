// Mixpanel's server SDK, which sends each event as it is tracked, in the query of a GET.
import Mixpanel from "mixpanel";
import { DEVICE, IS_LIFE, KEY, ORDERS, PROPERTIES, URL_BASE, USER, untilTold } from "./task.mjs";

const { hostname, port } = new URL(URL_BASE);
const client = Mixpanel.init(KEY, { protocol: "http", host: hostname, port, path: "/mixpanel" });
const known = { distinct_id: USER, $device_id: DEVICE, $app_version_string: "1.4.2" };
const told = (error) => error && console.log(String(error));

if (IS_LIFE) {
  client.track("$ae_first_open", known, told);
  client.track("$ae_session", { ...known, $ae_session_length: 3.5 }, told);
  client.track("$ae_crashed", { ...known, $ae_crashed_reason: "java.lang.RangeError: no cart" }, told);
  client.people.set(USER, { plan: "pro" }, told);
}
for (const order of ORDERS) client.track(order, { ...known, ...PROPERTIES }, told);
await untilTold();
