// The page: what is seen comes over a WebSocket, what is done goes out as deeds. State lives in the fake Slack, not here.
import { h, keep } from "./dom.js";
import { modals } from "./dialogs.js";
import { message } from "./messages.js";
import { blocks } from "./blocks.js";
import { composer } from "./composer.js";

const $ = (id) => document.getElementById(id);
const state = { seen: null, place: "", thread: null, user: localStorage.getItem("user") ?? "", socket: null };
const HOME = "home";

// -- to the bot -----------------------------------------------------------------------------------------------------

async function deed(what) {
  const answer = await fetch("/do", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...what, user: state.user }),
  });
  const told = answer.ok ? await answer.json() : { ok: false, why: `the playground answered ${answer.status}` };
  $("trouble").hidden = told.ok;
  $("trouble").textContent = told.ok ? "" : `Not done: ${told.why}`;
  return told.ok;
}

const does = {
  click: (view, one, block, choice) => deed({ do: "click", view, action: one.action_id, block: block.block_id, choice }),
  submit: (view, values) => deed({ do: "submit", view, values }),
  close: (view) => deed({ do: "close", view }),
};

// -- who is named ---------------------------------------------------------------------------------------------------

const who = {
  person: (id) => state.seen.people[id]?.name ?? id,
  channel: (id) => state.seen.channels.find((one) => one.id === id)?.name ?? id,
  group: (id) => state.seen.groups[id] ?? id,
  all: (kind) => kind === "user"
    ? Object.entries(state.seen.people).map(([id, one]) => [id, one.name])
    : state.seen.channels.filter((one) => !one.direct).map((one) => [one.id, `#${one.name}`]),
};

// -- from the bot ---------------------------------------------------------------------------------------------------

function connect() {
  state.socket?.close();
  const socket = new WebSocket(`ws://${location.host}/live?user=${encodeURIComponent(state.user)}`);
  state.socket = socket;
  socket.addEventListener("message", (event) => { state.seen = JSON.parse(event.data); show(); });
  socket.addEventListener("close", () => {
    if (state.socket !== socket) return;
    $("status").textContent = "The playground has ended, or is not reachable.";
    setTimeout(() => state.socket === socket && connect(), 1000);
  });
}

function show() {
  const seen = state.seen;
  $("workspace").textContent = seen.workspace;
  document.documentElement.lang = seen.people[seen.me].locale.split("-")[0];
  if (!state.place) state.place = location.hash.slice(1) || seen.channels[0].id;
  $("status").textContent = seen.changing ? "Starting the bot…" : "";
  document.body.dataset.ready = String(!seen.changing);
  document.body.dataset.recording = seen.recording;
  menus(seen);
  channels(seen);
  const channel = seen.channels.find((one) => one.id === state.place);
  if (channel) conversation(channel);
  else home(seen);
  thread(seen);
  modals(seen.modals, who, does, $("modals"));
}

function menus(seen) {
  options($("recording"), seen.recordings.map((one) => [one.name, one.name]), seen.recording);
  options($("identity"), seen.identities.map((id) => [id, `${who.person(id)} (${seen.people[id].locale})`]), seen.me);
  options($("alert"), [["", "Choose…"], ...seen.alerts.map((name) => [name, name]), ["paste", "Paste JSON…"]], "");
  const on = seen.recordings.find((one) => one.name === seen.recording);
  $("about").textContent = on?.about ?? "";
  const ask = `${seen.bot.command} why ${on?.question ?? "my-pod"}`;
  $("hint").replaceChildren("Try ", h("button", { type: "button", class: "suggestion", onclick: () => boxes.channel.put(ask) }, ask),
    ` — or mention @${seen.bot.name}. Enter sends, Shift+Enter breaks the line.`);
}

function options(select, pairs, chosen) {
  const wanted = JSON.stringify(pairs);
  if (select.dataset.pairs !== wanted) {
    select.replaceChildren(...pairs.map(([value, label]) => h("option", { value }, label)));
    select.dataset.pairs = wanted;
  }
  if (document.activeElement !== select || select.id === "alert") select.value = chosen;
}

function channels(seen) {
  const entries = [...seen.channels.map((one) => ({ id: one.id, label: one.direct ? one.name : `# ${one.name}` })),
    { id: HOME, label: `${seen.bot.name} · Home` }];
  keep($("channels"), entries.map((one) => ({ ...one, current: one.id === state.place })), (one) => one.id, (one) =>
    h("li", {}, h("button", { type: "button", "aria-current": one.current ? "page" : undefined, onclick: () => go(one.id) }, one.label)));
}

function go(place) {
  state.place = place;
  state.thread = null;
  location.hash = place;
  if (place === HOME) deed({ do: "home" });
  show();
  (place === HOME ? $("stream") : $("composer-text")).focus();
}

function messageOn(one, inThread) {
  const act = (target, block, choice) =>
    deed({ do: "click", channel: one.channel, ts: one.ts, action: target.action_id, block: block.block_id, choice });
  const replies = inThread ? 0 : one.replies;
  return message(one, {
    who, act, replies, inThread, shortcuts: state.seen.shortcuts,
    open: () => { state.thread = { channel: one.channel, ts: one.thread ?? one.ts }; show(); $("thread-text").focus(); },
    shortcut: (id) => deed({ do: "shortcut", id, channel: one.channel, ts: one.ts }),
  });
}

function draw(box, list, inThread) {
  const low = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const before = box.dataset.place;
  keep(box, list, (one) => `${one.channel}-${one.ts}-${state.user}`, (one) => messageOn(one, inThread));
  const place = `${state.place}-${state.thread?.ts ?? ""}`;
  if (low || before !== place) box.scrollTop = box.scrollHeight;
  box.dataset.place = place;
  if (!inThread) announce(list);
}

let announced = "";
/** A screen reader hears the top-level text of what the bot says, as Slack's own clients read it. */
function announce(list) {
  const last = list.findLast((one) => one.own);
  const words = last ? `${last.author}: ${last.text}` : "";
  if (words !== announced) $("live").textContent = announced = words;
}

function conversation(channel) {
  $("place-name").textContent = channel.direct ? channel.name : `# ${channel.name}`;
  $("composer").hidden = $("hint").hidden = false;
  $("composer-text").placeholder = channel.direct ? `Message ${channel.name}` : `Message #${channel.name}`;
  const replies = (one) => channel.messages.filter((other) => other.thread === one.ts).length;
  const top = channel.messages.filter((one) => !one.thread || one.broadcast).map((one) => ({ ...one, replies: replies(one) }));
  if ($("stream").firstElementChild?.classList.contains("home")) $("stream").replaceChildren();
  draw($("stream"), top, false);
}

function home(seen) {
  $("place-name").textContent = `${seen.bot.name} · Home`;
  $("composer").hidden = $("hint").hidden = true;
  const view = seen.home;
  const on = { who, values: new Map(), act: (one, block, choice) => does.click(view.id, one, block, choice) };
  const inside = () => h("div", { class: "home" }, view ? blocks(view.content.blocks, on) : h("p", {}, "Nothing was published yet."));
  keep($("stream"), [{ hash: view?.hash ?? "" }], () => HOME, inside);
}

function thread(seen) {
  const pane = $("thread"), open = state.thread;
  pane.hidden = !open;
  document.body.classList.toggle("with-thread", Boolean(open));
  if (!open) return;
  const all = seen.channels.find((one) => one.id === open.channel)?.messages ?? [];
  draw($("thread-stream"), all.filter((one) => one.ts === open.ts || one.thread === open.ts), true);
}

// -- the person -----------------------------------------------------------------------------------------------------

const boxes = {
  channel: composer($("composer"), $("composer-text"), (text) => deed({ do: "say", channel: state.place, text })),
  thread: composer($("thread-composer"), $("thread-text"),
    (text) => deed({ do: "say", channel: state.thread.channel, thread: state.thread.ts, text })),
};

$("thread-close").addEventListener("click", () => { state.thread = null; show(); $("composer-text").focus(); });
$("clear").addEventListener("click", () => deed({ do: "clear" }));
$("recording").addEventListener("change", (event) => deed({ do: "show", recording: event.target.value }));
$("identity").addEventListener("change", (event) => {
  state.user = event.target.value;
  localStorage.setItem("user", state.user);
  [state.place, state.thread, location.hash] = ["", null, ""];
  connect();
});
$("alert").addEventListener("change", async (event) => {
  const name = event.target.value;
  event.target.value = "";
  const channel = state.place === HOME ? undefined : state.place;
  if (name === "paste") {
    const pasted = window.prompt("The message event of an alert, as Slack sends it (JSON)");
    if (pasted) await deed({ do: "alert", event: pasted, channel });
  } else if (name) await deed({ do: "alert", sample: name, channel });
});
$("theme").value = localStorage.getItem("theme") ?? "";
const dress = () => { document.documentElement.dataset.theme = $("theme").value; localStorage.setItem("theme", $("theme").value); };
$("theme").addEventListener("change", dress);
dress();
window.addEventListener("hashchange", () => {
  const place = location.hash.slice(1);
  if (place && place !== state.place && state.seen) go(place);
});
if (!["U0ANNA", "U0MIN"].includes(state.user)) state.user = "U0ANNA";
connect();
