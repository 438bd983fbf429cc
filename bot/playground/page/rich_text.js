// Rich text, which Slack parses for nothing: what is in it is shown as it is (blocks/rich-text-block).
import { h } from "./dom.js";
import { date, link, mention } from "./mrkdwn.js";
import { emoji } from "./emoji.js";

export const richText = (block, who) => h("div", {}, block.elements.map((part) => PARTS[part.type]?.(part, who) ?? ""));

const leaves = (part, who) => part.elements.map((leaf) => styled(LEAVES[leaf.type]?.(leaf, who) ?? "", leaf.style));

function lined(text) {
  return text.split("\n").flatMap((line, index) => (index ? [h("br"), line] : [line]));
}

function styled(nodes, style = {}) {
  let inner = [nodes].flat();
  for (const [name, tag] of [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"], ["underline", "u"]]) {
    if (style?.[name]) inner = [h(tag, {}, inner)];
  }
  return inner;
}

const PARTS = {
  rich_text_section: (part, who) => h("div", {}, leaves(part, who)),
  rich_text_list: (part, who) => {
    const list = h(part.style === "ordered" ? "ol" : "ul", { start: part.offset ? part.offset + 1 : undefined },
      part.elements.map((item) => h("li", {}, leaves(item, who))));
    if (part.indent) list.style.marginLeft = `${part.indent * 1.5}rem`;
    return list;
  },
  rich_text_preformatted: (part, who) => h("pre", { tabindex: 0 }, h("code", {}, part.elements.map((leaf) =>
    leaf.type === "text" ? leaf.text : LEAVES[leaf.type]?.(leaf, who) ?? ""))),
  rich_text_quote: (part, who) => h("blockquote", {}, leaves(part, who)),
};

const LEAVES = {
  text: (leaf) => lined(leaf.text),
  link: (leaf) => link(leaf.url, leaf.text ?? leaf.url),
  emoji: (leaf) => emoji(leaf.name),
  user: (leaf, who) => mention(`@${who.person(leaf.user_id)}`),
  usergroup: (leaf, who) => mention(`@${who.group(leaf.usergroup_id)}`),
  channel: (leaf, who) => mention(`#${who.channel(leaf.channel_id)}`),
  broadcast: (leaf) => mention(`@${leaf.range}`),
  date: (leaf) => date(leaf.timestamp, leaf.format, leaf.url, leaf.fallback),
  color: (leaf) => leaf.value,
};
