// What a script is to do, told by its environment: shared by the scripts, sends nothing.
export const URL_BASE = process.env.SDK_URL;
export const KEY = process.env.SDK_KEY;
export const IS_LIFE = process.env.SDK_DO === "life"; // a session with a crash; else some orders
export const ORDERS = Array.from(
  { length: Number(process.env.SDK_ORDERS) },
  (_, index) => `order-${index + 1}`,
);
const notes = Array(Number(process.env.SDK_NOTES)).fill("x".repeat(100));
export const PROPERTIES = { price: 9.99, notes };
export const DEVICE = "install-1";
export const USER = "user-1";
export const SESSION_SECONDS = Number(process.env.SDK_SESSION);
export const CONTEXT = {
  app: { name: "Demo", version: "1.4.2", build: "142", namespace: "com.example.demo" },
  device: { manufacturer: "Google", model: "Pixel 8", type: "android" },
  os: { name: "Android", version: "15" },
  locale: "en-US",
};

/** The app goes on running until whoever started it has seen enough. */
export async function untilTold() {
  for await (const _ of process.stdin);
}

export function crash() {
  throw new RangeError("no cart");
}
