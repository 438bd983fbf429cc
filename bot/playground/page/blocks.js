// Block Kit's blocks, one function each (docs.slack.dev/reference/block-kit/blocks). An unknown block says its name.
import { h, fresh } from "./dom.js";
import { link, markdown, textObject, plain } from "./mrkdwn.js";
import { element, picture } from "./elements.js";
import { richText } from "./rich_text.js";
import { dataTable, table } from "./tables.js";
import { chart } from "./charts.js";

/** A list of blocks. `on` is `{who, act(element, block, choice), values, errors}`: who is named, what a click does. */
export const blocks = (list, on) => (list ?? []).map((block) => drawn(block, on));

function drawn(block, on) {
  const draw = BLOCKS[block.type];
  const node = draw ? draw(block, on) : h("p", { class: "unknown" }, `(a block of type ${block.type})`);
  node.classList.add("block", `block-${block.type}`);
  return node;
}

const text = (object, on) => textObject(object, on.who);

function section(block, on) {
  const fields = (block.fields ?? []).map((field) => h("div", { class: "field" }, ...text(field, on)));
  const words = h("div", { class: "words" },
    block.text ? h("div", { class: "text" }, ...text(block.text, on)) : null,
    fields.length ? h("div", { class: "fields" }, fields) : null);
  const accessory = block.accessory ? h("div", { class: "accessory" }, element(block.accessory, block, on)) : null;
  return h("div", {}, words, accessory);
}

function header(block, on) {
  return h(`h${Math.min(6, (block.level ?? 1) + 2)}`, {}, ...text(block.text, on));
}

function context(block, on) {
  const parts = block.elements.map((one) =>
    one.type === "image" ? picture(one) : h("span", { class: "small" }, ...text(one, on)));
  return h("div", {}, parts);
}

const row = (name) => (block, on) =>
  h("div", { role: "group", "aria-label": name }, block.elements.map((one) => element(one, block, on)));

function image(block, on) {
  const source = block.image_url ?? block.slack_file?.url;
  return h("figure", {}, block.title ? h("figcaption", {}, ...text(block.title, on)) : null,
    picture({ ...block, image_url: source, title: undefined }));
}

function input(block, on) {
  const id = fresh("input"), error = on.errors?.[block.block_id];
  const hint = block.hint ? h("div", { class: "small", id: `${id}-hint` }, ...text(block.hint, on)) : null;
  const problem = error ? h("div", { class: "problem", id: `${id}-error`, role: "alert" }, error) : null;
  const described = [hint && `${id}-hint`, problem && `${id}-error`].filter(Boolean).join(" ");
  const label = [...text(block.label, on), block.optional ? h("span", { class: "small" }, " (optional)") : null];
  const grouped = ["checkboxes", "radio_buttons"].includes(block.element.type);
  const control = element(block.element, block, { ...on, id, described, invalid: Boolean(error), required: !block.optional });
  return grouped
    ? h("fieldset", {}, h("legend", {}, label), control, problem, hint)
    : h("div", {}, h("label", { for: id }, label), control, problem, hint);
}

function card(block, on) {
  return h("article", {},
    block.hero_image ? picture(block.hero_image) : null,
    h("div", { class: "card-words" },
      block.icon ? picture(block.icon) : null,
      h("div", {},
        block.title ? h("div", { class: "card-title" }, ...text(block.title, on)) : null,
        block.subtitle ? h("div", { class: "small" }, ...text(block.subtitle, on)) : null)),
    block.body ? h("div", { class: "card-body" }, ...text(block.body, on)) : null,
    block.subtext ? h("div", { class: "small" }, ...text(block.subtext, on)) : null,
    block.actions ? h("div", { class: "block-actions" }, block.actions.map((one) => element(one, block, on))) : null);
}

function carousel(block, on) {
  return h("div", { role: "group", "aria-label": "Cards", tabindex: 0 }, blocks(block.elements, on));
}

function container(block, on) {
  const title = block.title ? text(block.title, on) : block.rich_text_title ? [richText(block.rich_text_title, on.who)] : [];
  const subtitle = block.subtitle ? h("div", { class: "small" }, ...text(block.subtitle, on)) : null;
  const inside = h("div", { class: "container-blocks" }, blocks(block.child_blocks, on));
  const width = `width-${block.width ?? "standard"}`;
  if (!block.is_collapsible) return h("section", { class: width }, h("div", { class: "container-title" }, title, subtitle), inside);
  return h("details", { class: width, open: !block.default_collapsed },
    h("summary", {}, h("span", { class: "container-title" }, title), subtitle), inside);
}

function alert(block, on) {
  const level = block.level ?? "default";
  return h("div", { class: `level-${level}`, role: "note" }, ...text(block.text, on));
}

function video(block, on) {
  return h("figure", {}, h("figcaption", {}, ...text(block.title, on)),
    h("span", { class: "small" }, `(video: ${block.alt_text})`));
}

function task(block, on) {
  return h("div", {}, h("span", { class: `task-${block.status ?? "pending"}` }, `${block.status ?? "pending"}: `),
    ...plain(block.title), block.details ? richText(block.details, on.who) : null,
    block.output ? richText(block.output, on.who) : null);
}

function plan(block, on) {
  return h("section", {}, h("div", { class: "container-title" }, ...plain(block.title)), blocks(block.tasks, on));
}

const BLOCKS = {
  actions: row("Actions"),
  alert,
  card,
  carousel,
  container,
  context,
  context_actions: row("Feedback"),
  data_table: (block, on) => dataTable(block, on.who),
  data_visualization: (block) => chart(block),
  divider: () => h("hr", {}),
  file: (block) => h("p", { class: "small" }, `(file ${block.external_id})`),
  header,
  image,
  input,
  markdown: (block) => h("div", {}, markdown(block.text)),
  plan,
  rich_text: (block, on) => richText(block, on.who),
  section,
  table: (block, on) => table(block, on.who),
  task_card: task,
  video,
};

/** Legacy attachments, as alert senders still post them. */
export function attachments(list, on) {
  return (list ?? []).map((one) => {
    const color = /^[0-9a-fA-F]{6}$/.test((one.color ?? "").replace("#", "")) ? `#${one.color.replace("#", "")}` : "";
    const bar = h("div", { class: "attachment" });
    if (color) bar.style.borderLeftColor = color;
    const said = (value) => textObject({ type: "mrkdwn", text: String(value) }, on.who);
    const title = one.title && (one.title_link ? link(one.title_link, said(one.title)) : said(one.title));
    bar.append(...[
      one.pretext ? h("div", {}, ...said(one.pretext)) : null,
      title ? h("div", { class: "card-title" }, title) : null,
      one.text ? h("div", { class: "text" }, ...said(one.text)) : null,
      one.fields ? h("div", { class: "fields" }, one.fields.map((f) =>
        h("div", { class: "field" }, h("strong", {}, String(f.title ?? "")), h("br"), ...said(f.value ?? "")))) : null,
      ...blocks(one.blocks, on),
      one.footer ? h("div", { class: "small" }, ...said(one.footer)) : null,
    ].filter(Boolean));
    if (!bar.childNodes.length) bar.append(...said(one.fallback ?? ""));
    return bar;
  });
}
