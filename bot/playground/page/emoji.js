// The emoji that bots and alert senders use; any other is shown by its name, as Slack shows one that it does not know.
import { h } from "./dom.js";

const KNOWN = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", eyes: "👀", fire: "🔥", rotating_light: "🚨",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", no_entry: "⛔", no_entry_sign: "🚫", lock: "🔒", moneybag: "💰", bulb: "💡",
  mag: "🔍", rocket: "🚀", tada: "🎉", wrench: "🔧", hammer_and_wrench: "🛠️", red_circle: "🔴", large_green_circle: "🟢",
  large_yellow_circle: "🟡", large_orange_circle: "🟠", large_blue_circle: "🔵", white_circle: "⚪", information_source: "ℹ️",
  thumbsup: "👍", "+1": "👍", thumbsdown: "👎", "-1": "👎", clock1: "🕐", stopwatch: "⏱️", arrow_right: "➡️", repeat: "🔁",
  bar_chart: "📊", memo: "📝", gear: "⚙️", robot_face: "🤖", speech_balloon: "💬", zzz: "💤", recycle: "♻️", leaves: "🍃",
};

/** An emoji with its name for those who hear it. */
export const emoji = (name) =>
  KNOWN[name] ? h("span", { role: "img", "aria-label": name.replaceAll("_", " "), class: "emoji" }, KNOWN[name]) : `:${name}:`;
