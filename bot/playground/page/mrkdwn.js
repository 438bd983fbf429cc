// Slack's mrkdwn and the markdown block, as nodes (docs.slack.dev: formatting-message-text, markdown-block).
import { h } from "./dom.js";
import { emoji } from "./emoji.js";

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
const unescape = (text) => text.replace(/&(?:amp|lt|gt);/g, (entity) => ENTITIES[entity]);
const STYLES = { "*": "strong", _: "em", "~": "s" };
const INLINE = /<([^<>\n]+)>|`([^`\n]+)`|(^|[\s(\[{"'>*_~-])([*_~])(\S(?:[^\n]*?\S)?)\4(?=$|[\s).,;:!?\]}"'<*_~-])|:([a-z0-9_+-]+):|(https?:\/\/[^\s<>|`*_~"']+)/g;

/** A text object (`plain_text` or `mrkdwn`) as nodes; newlines are breaks. `who` knows names of people and channels. */
export function textObject(object, who) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwn(object.text, who, object.verbatim) : plain(object.text, object.emoji !== false);
}

export const plain = (text, withEmoji = true) => lines(text, (line) => (withEmoji ? emojis(line) : [line]));

function lines(text, draw) {
  return text.split("\n").flatMap((line, index) => (index ? [h("br"), ...draw(line)] : draw(line)));
}

function emojis(text) {
  return text.split(/:([a-z0-9_+-]+):/).map((part, index) => (index % 2 ? emoji(part) : part));
}

/** mrkdwn: code fences and quotes are blocks, everything else runs in lines. */
export function mrkdwn(text, who, verbatim = false) {
  return text.split(/```\n?([\s\S]*?)\n?```/).flatMap((part, index) => {
    if (index % 2) return [h("pre", {}, h("code", {}, ...fenced(part, who)))];
    return quotes(part, who, verbatim);
  });
}

function fenced(text, who) {
  return text.split(/<(https?:[^<>|\n]+)(?:\|[^<>\n]*)?>/).map((part, i) => (i % 2 ? control(part, who) : unescape(part)));
}

function quotes(text, who, verbatim) {
  const nodes = [];
  let quoted = [], run = [];
  const flush = () => {
    if (run.length) nodes.push(...lines(run.join("\n"), (line) => inline(line, who, verbatim)));
    if (quoted.length) nodes.push(h("blockquote", {}, ...lines(quoted.join("\n"), (line) => inline(line, who, verbatim))));
    [quoted, run] = [[], []];
  };
  for (const line of text.split("\n")) {
    const quote = /^&gt;\s?(.*)$/.exec(line);
    if (quote ? run.length : quoted.length) flush();
    (quote ? quoted : run).push(quote ? quote[1] : line);
  }
  flush();
  return nodes;
}

function inline(text, who, verbatim) {
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    const [all, inside, code, before, mark, styled, name, url] = found;
    if (url && verbatim) continue;
    nodes.push(unescape(text.slice(at, found.index)));
    if (inside) nodes.push(control(inside, who));
    else if (code) nodes.push(h("code", {}, unescape(code)));
    else if (mark) nodes.push(unescape(before), h(STYLES[mark], {}, ...inline(styled, who, verbatim)));
    else if (name) nodes.push(emoji(name));
    else nodes.push(link(unescape(url), unescape(url)));
    at = found.index + all.length;
  }
  nodes.push(unescape(text.slice(at)));
  return nodes;
}

function control(inside, who) {
  const [body, label] = inside.split(/\|(.*)/s);
  if (body.startsWith("@")) return mention(`@${who.person(body.slice(1))}`);
  if (body.startsWith("#")) return mention(`#${who.channel(body.slice(1))}`);
  if (body.startsWith("!subteam^")) return mention(`@${who.group(body.slice(9))}`);
  if (body.startsWith("!date^")) return date(...body.slice(6).split("^"), label);
  if (body.startsWith("!")) return mention(`@${body.slice(1)}`);
  return link(unescape(body), unescape(label ?? body));
}

export const mention = (text) => h("span", { class: "mention" }, text);

/** A link leads only where Slack's links lead. */
export function link(url, label) {
  if (!/^(?:https?|mailto):/i.test(url)) return label;
  return h("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, label);
}

/** `<!date^ts^format^link|fallback>`; the common tokens, in the reader's own zone. */
export function date(seconds, format, url, fallback) {
  const at = new Date(Number(seconds) * 1000);
  if (Number.isNaN(at.getTime())) return fallback ?? "";
  const zone = document.documentElement.lang || undefined;
  const words = {
    date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
    date: { dateStyle: "long" }, date_pretty: { dateStyle: "long" }, date_long: { dateStyle: "full" },
    date_short: { dateStyle: "medium" }, date_short_pretty: { dateStyle: "medium" }, date_long_pretty: { dateStyle: "full" },
    time: { timeStyle: "short" }, time_secs: { timeStyle: "medium" },
  };
  const text = format.replace(/\{(\w+)\}/g, (all, token) => {
    if (token === "ago") return ago(at, zone);
    return words[token] ? new Intl.DateTimeFormat(zone, words[token]).format(at) : all;
  });
  const node = h("time", { datetime: at.toISOString(), title: fallback ?? at.toISOString() }, text);
  return url ? h("a", { href: url, rel: "noreferrer noopener" }, node) : node;
}

function ago(at, zone) {
  const minutes = Math.round((at.getTime() - Date.now()) / 60000);
  const relative = new Intl.RelativeTimeFormat(zone, { numeric: "auto" });
  return Math.abs(minutes) < 90 ? relative.format(minutes, "minute") : relative.format(Math.round(minutes / 60), "hour");
}

/** The markdown block: headings, lists, fences, bold, code, links. */
export function markdown(text) {
  const nodes = [];
  let list = null;
  for (const [index, part] of text.split(/```\w*\n?([\s\S]*?)\n?```/).entries()) {
    if (index % 2) {
      nodes.push(h("pre", {}, h("code", {}, part)));
      continue;
    }
    for (const line of part.split("\n")) {
      const heading = /^(#{1,6})\s+(.*)$/.exec(line), item = /^\s*(?:[-*]|\d+\.)\s+(.*)$/.exec(line);
      if (!item) list = null;
      if (heading) nodes.push(h(`h${Math.min(6, heading[1].length + 2)}`, {}, ...marked(heading[2])));
      else if (item) {
        if (!list) nodes.push((list = h(/^\s*\d/.test(line) ? "ol" : "ul", {})));
        list.append(h("li", {}, ...marked(item[1])));
      } else if (line.trim()) nodes.push(h("p", {}, ...marked(line)));
    }
  }
  return nodes;
}

function marked(text) {
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(/\*\*(.+?)\*\*|`([^`]+)`|\[([^\]]*)\]\((https?:[^)\s]+)\)|_(\S[^_]*)_/g)) {
    nodes.push(text.slice(at, found.index));
    const [all, bold, code, label, url, em] = found;
    nodes.push(bold ? h("strong", {}, ...marked(bold)) : code ? h("code", {}, code) : url ? link(url, label) : h("em", {}, em));
    at = found.index + all.length;
  }
  nodes.push(text.slice(at));
  return nodes;
}
