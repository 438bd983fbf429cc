// One message: who, when, what, and what can be done with it.
import { h } from "./dom.js";
import { attachments, blocks } from "./blocks.js";
import { mrkdwn } from "./mrkdwn.js";
import { emoji } from "./emoji.js";

const clock = (ts) => new Date(Number(ts) * 1000);

/** `on` has who, act, open (the thread), replies, shortcuts and shortcut(id). */
export function message(one, on) {
  const at = clock(one.ts), time = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "short" }).format(at);
  const head = h("div", { class: "who" }, h("strong", {}, one.author), one.app ? h("span", { class: "app" }, "APP") : null,
    h("time", { datetime: at.toISOString() }, time), one.edited ? h("span", { class: "small" }, "(edited)") : null);
  return h("article", { class: `message${one.ephemeral ? " ephemeral" : ""}`, "aria-label": `${one.author}, ${time}` },
    h("div", { class: `avatar ${one.own ? "avatar-bot" : ""}`, "aria-hidden": "true" }, one.author.slice(0, 1).toUpperCase()),
    h("div", { class: "said" },
      one.ephemeral ? h("div", { class: "small" }, "Only visible to you") : null,
      head, body(one, on), files(one), reactions(one),
      on.replies ? h("button", { type: "button", class: "replies", onclick: on.open }, on.replies === 1 ? "1 reply" : `${on.replies} replies`) : null),
    one.ephemeral ? null : tools(one, on));
}

/** Slack shows blocks in place of the text; without blocks, the text. */
function body(one, on) {
  const kit = { who: on.who, act: on.act, values: new Map() };
  const shown = one.blocks?.length ? blocks(one.blocks, kit) : [h("div", { class: "text" }, ...mrkdwn(one.text, on.who))];
  return h("div", { class: "body" }, shown, attachments(one.attachments, kit));
}

function files(one) {
  return one.files.map((file) => h("figure", {}, h("figcaption", { class: "small" }, file.title || file.name),
    h("img", { src: `/file/${file.id}`, alt: file.title || file.name })));
}

function reactions(one) {
  const list = Object.entries(one.reactions);
  if (!list.length) return null;
  return h("div", { class: "reactions" }, list.map(([name, count]) => h("span", { class: "reaction" }, emoji(name), ` ${count}`)));
}

function tools(one, on) {
  const reply = on.inThread ? null : h("button", { type: "button", title: "Reply in thread", "aria-label": "Reply in thread", onclick: on.open }, "💬");
  const shortcuts = on.shortcuts.map((shortcut) =>
    h("button", { type: "button", class: "shortcut", onclick: () => on.shortcut(shortcut.id) }, shortcut.name));
  return h("div", { class: "tools" }, reply, shortcuts);
}
