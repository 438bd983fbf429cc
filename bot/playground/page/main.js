// The page: what is seen comes over a WebSocket, what is done goes out as deeds. State lives in the fake Slack, not here.
import { h, keep } from "./dom.js";
import { modals } from "./dialogs.js";
import { message } from "./messages.js";
import { blocks } from "./blocks.js";
import { composer } from "./composer.js";

const $ = (id) => document.getElementById(id);
const state = { seen: null, place: "", thread: null, user: localStorage.getItem("user") ?? "", socket: null };
const HOME = "home", PREVIEW = "preview";
/** What is real about the cluster, in the language of whoever looks. */
const TRUTH = {
  en: {
    recording: "A recording in memory. Approve changes the copy; the NodeClaim, node and pod that follow are simulated: decided by the bot's own engine, in seconds instead of minutes, and named “simulated”.",
    live: "A real cluster, only read here: Approve is off, and buttons offer the patch to copy.",
    changeable: "A real cluster: what is approved here is really changed.",
  },
  ko: {
    recording: "메모리에 있는 녹화본이다. 승인은 사본을 바꾸고, 뒤따르는 NodeClaim·노드·파드는 시뮬레이션이다: 봇 자신의 엔진이 정하고, 몇 분 대신 몇 초에 끝나며, 이름에 “simulated”가 들어간다.",
    live: "실제 클러스터이며 여기서는 읽기만 한다: 승인은 꺼져 있고 버튼은 복사할 패치를 보여 준다.",
    changeable: "실제 클러스터이다: 여기서 승인한 것은 실제로 바뀐다.",
  },
};

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
  $("truth").hidden = state.place === PREVIEW;
  if (channel) conversation(channel);
  else if (state.place === PREVIEW) showPreview(seen);
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
  const truth = TRUTH[document.documentElement.lang] ?? TRUTH.en;
  $("truth").textContent = truth[seen.kind];
  $("truth").dataset.kind = seen.kind;
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
    { id: HOME, label: `${seen.bot.name} · Home` }, { id: PREVIEW, label: "Playbook preview" }];
  keep($("channels"), entries.map((one) => ({ ...one, current: one.id === state.place })), (one) => one.id, (one) =>
    h("li", {}, h("button", { type: "button", "aria-current": one.current ? "page" : undefined, onclick: () => go(one.id) }, one.label)));
}

function go(place) {
  state.place = place;
  state.thread = null;
  location.hash = place;
  if (place === HOME) deed({ do: "home" });
  if (place === PREVIEW) preview({});
  show();
  (place === HOME || place === PREVIEW ? $("stream") : $("composer-text")).focus();
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
  if ($("stream").firstElementChild?.matches(".home, .preview")) $("stream").replaceChildren();
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

// -- playbooks while they are written -------------------------------------------------------------------------------

const wanted = { case: "", language: "" };

function preview(change) {
  const there = state.seen.preview;
  const case_ = change.case || wanted.case || (there.cases.includes(state.seen.recording) ? state.seen.recording : there.cases[0]);
  Object.assign(wanted, { case: case_, language: change.language || wanted.language || document.documentElement.lang });
  if (!there.languages.includes(wanted.language)) wanted.language = there.languages[0];
  deed({ do: "preview", ...wanted });
}

function showPreview(seen) {
  $("place-name").textContent = "Playbook preview";
  $("composer").hidden = $("hint").hidden = true;
  const there = seen.preview;
  if (!wanted.case) preview({});
  const choice = (label, values, name) => h("label", {}, `${label} `,
    h("select", { onchange: (event) => preview({ [name]: event.target.value }) },
      values.map((one) => h("option", { value: one, selected: one === wanted[name] || undefined }, one))));
  const on = { who, values: new Map(), act: () => {} };
  const wrong = [...there.problems, ...(there.shown?.problems ?? [])];
  const inside = () => h("div", { class: "preview" },
    h("p", { class: "choices" }, choice("Recorded case", there.cases, "case"), choice("Language", there.languages, "language")),
    h("p", { class: "small" }, there.folders.length ? `Follows ${there.folders.join(", ")}: save a page and see it here.`
      : "Start with --playbooks DIR to follow pages of your own; these are the shipped ones."),
    wrong.length ? h("ul", { class: "trouble", role: "alert" }, wrong.map((one) => h("li", {}, one))) : null,
    there.shown ? h("p", { class: "small" }, `Said by ${there.shown.pages.join(", ")}`) : null,
    there.shown ? h("div", { class: "answer" }, blocks(there.shown.blocks, on)) : h("p", {}, "Deciding…"));
  keep($("stream"), [{ there: JSON.stringify(there), wanted: JSON.stringify(wanted) }], () => PREVIEW, inside);
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
