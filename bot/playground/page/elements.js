// Block Kit's elements (docs.slack.dev/reference/block-kit/block-elements): what can be pressed, chosen, filled in.
import { h, fresh } from "./dom.js";
import { plain, textObject } from "./mrkdwn.js";
import { confirmed } from "./dialogs.js";

/** One element of `block`; `on.act` is called with the choice once it is made (and confirmed, where that is asked). */
export function element(one, block, on) {
  const draw = ELEMENTS[one.type];
  return draw ? draw(one, block, on) : h("span", { class: "unknown" }, `(an element of type ${one.type})`);
}

/** An image; what is not on this machine is named by its alternative text, for the page fetches from nowhere else. */
export function picture(one) {
  const source = one.image_url ?? "";
  if (!source.startsWith("/file/") && !source.startsWith("data:image/")) {
    return h("span", { class: "picture", role: "img", "aria-label": one.alt_text }, `🖼 ${one.alt_text}`);
  }
  return h("img", { src: source, alt: one.alt_text });
}

async function chosen(one, block, on, choice) {
  if (one.confirm && !(await confirmed(one.confirm, on.who))) return false;
  await on.act(one, block, choice);
  return true;
}

function button(one, block, on) {
  const style = one.style ? `button-${one.style}` : "";
  const label = one.accessibility_label && one.accessibility_label !== one.text.text ? one.accessibility_label : undefined;
  if (/^https?:/i.test(one.url ?? "")) {
    return h("a", { class: `button ${style}`, href: one.url, target: "_blank", rel: "noreferrer noopener", "aria-label": label,
      onclick: () => on.act(one, block) }, ...plain(one.text.text));
  }
  const node = h("button", { type: "button", class: `button ${style}`, "aria-label": label }, ...plain(one.text.text));
  node.addEventListener("click", async () => {
    node.setAttribute("aria-busy", "true");
    try { await chosen(one, block, on); } finally { node.removeAttribute("aria-busy"); }
  });
  return node;
}

const optionText = (option) => option.text.text;
const groups = (one) => one.option_groups ?? [{ options: one.options ?? [] }];
const initials = (one) => [one.initial_option, ...(one.initial_options ?? [])].filter(Boolean).map((option) => option.value);

const value = (one, on) => on.values?.get(one.action_id);
const remember = (one, on, given) => on.values?.set(one.action_id, given);
const described = (on) => ({ id: on.id, "aria-describedby": on.described || undefined, "aria-invalid": on.invalid ? "true" : undefined,
  "aria-required": on.required ? "true" : undefined });
const named = (one, on) => (on.id ? {} : { "aria-label": one.placeholder?.text ?? "Choose" });

function select(options, one, block, on, multiple = false) {
  const given = value(one, on) ?? initials(one).join(",");
  const node = h("select", { ...described(on), ...named(one, on), multiple }, multiple ? null :
    h("option", { value: "", selected: !given }, one.placeholder?.text ?? "Choose…"), options);
  if (given) for (const option of node.options) option.selected = given.split(",").includes(option.value);
  if (given) remember(one, on, given);
  node.addEventListener("change", async () => {
    const picked = [...node.selectedOptions].map((option) => option.value).filter(Boolean).join(",");
    remember(one, on, picked || null);
    const sent = block.type === "input" ? (block.dispatch_action ? true : null) : true;
    if (sent && picked && !(await chosen(one, block, on, picked))) node.value = "";
  });
  return node;
}

const staticSelect = (multiple) => (one, block, on) => {
  const drawn = groups(one).map((group) => {
    const options = group.options.map((option) => h("option", { value: option.value }, optionText(option)));
    return group.label ? h("optgroup", { label: group.label.text }, options) : options;
  });
  return select(drawn, one, block, on, multiple);
};

const peopleSelect = (which, multiple) => (one, block, on) => {
  const initial = one[`initial_${which}`] ?? (one[`initial_${which}s`] ?? []).join(",");
  if (initial && !value(one, on)) remember(one, on, initial);
  const options = on.who.all(which).map(([id, name]) => h("option", { value: id }, name));
  return select(options, one, block, on, multiple);
};

function overflow(one, block, on) {
  const menu = h("ul", { class: "menu", hidden: true, role: "menu" });
  const toggle = h("button", { type: "button", class: "button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": "More actions" }, "⋯");
  const open = (wide) => { menu.hidden = !wide; toggle.setAttribute("aria-expanded", String(wide)); };
  menu.append(...one.options.map((option) => h("li", { role: "none" }, h("button", { type: "button", role: "menuitem",
    onclick: () => { open(false); toggle.focus(); chosen(one, block, on, option.value); } }, optionText(option)))));
  toggle.addEventListener("click", () => { open(menu.hidden); if (!menu.hidden) menu.querySelector("button").focus(); });
  const box = h("span", { class: "overflow" }, toggle, menu);
  box.addEventListener("keydown", (event) => {
    const items = [...menu.querySelectorAll("button")], at = items.indexOf(document.activeElement);
    if (event.key === "Escape") { open(false); toggle.focus(); event.stopPropagation(); }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && at >= 0) { items[(at + step + items.length) % items.length].focus(); event.preventDefault(); }
  });
  return box;
}

const choices = (kind) => (one, block, on) => {
  const name = fresh("choice"), ticked = new Set((value(one, on) ?? initials(one).join(",")).split(",").filter(Boolean));
  const keep = () => remember(one, on, [...ticked].join(",") || null);
  keep();
  return h("div", { class: "choices", role: kind === "radio" ? "radiogroup" : "group", "aria-describedby": on.described || undefined },
    one.options.map((option) => {
      const input = h("input", { type: kind, name, value: option.value, checked: ticked.has(option.value) });
      input.addEventListener("change", () => {
        if (kind === "radio") ticked.clear();
        if (input.checked) ticked.add(option.value); else ticked.delete(option.value);
        keep();
        if (block.type !== "input" || block.dispatch_action) chosen(one, block, on, [...ticked].join(","));
      });
      const more = option.description ? h("span", { class: "small" }, ...textObject(option.description, on.who)) : null;
      return h("label", { class: "choice" }, input, h("span", {}, ...textObject(option.text, on.who), more));
    }));
};

const typed = (type) => (one, block, on) => {
  const tag = one.multiline ? "textarea" : "input";
  const given = value(one, on) ?? one.initial_value ?? one.initial_date ?? one.initial_time ?? "";
  const node = h(tag, { ...described(on), ...named(one, on), type: tag === "input" ? type : undefined,
    rows: tag === "textarea" ? 4 : undefined, placeholder: one.placeholder?.text, minlength: one.min_length,
    maxlength: one.max_length, min: one.min_value, max: one.max_value,
    step: type === "number" && one.is_decimal_allowed ? "any" : undefined });
  node.value = given;
  if (given) remember(one, on, given);
  node.addEventListener("input", () => remember(one, on, node.value || null));
  if (block.type !== "input") node.addEventListener("change", () => chosen(one, block, on, node.value));
  return node;
};

function feedback(one, block, on) {
  return h("span", { role: "group" }, ["positive", "negative"].map((which) => {
    const side = one[`${which}_button`];
    return h("button", { type: "button", class: "button", "aria-label": side.accessibility_label,
      onclick: () => chosen(one, block, on, which) }, which === "positive" ? "👍 " : "👎 ", ...plain(side.text.text));
  }));
}

const ELEMENTS = {
  button,
  workflow_button: button,
  icon_button: (one, block, on) => button({ ...one, text: { text: `🗑 ${one.text.text}` } }, block, on),
  feedback_buttons: feedback,
  overflow,
  image: picture,
  static_select: staticSelect(false),
  multi_static_select: staticSelect(true),
  external_select: staticSelect(false),
  multi_external_select: staticSelect(true),
  users_select: peopleSelect("user", false),
  multi_users_select: peopleSelect("user", true),
  channels_select: peopleSelect("channel", false),
  multi_channels_select: peopleSelect("channel", true),
  conversations_select: peopleSelect("conversation", false),
  multi_conversations_select: peopleSelect("conversation", true),
  checkboxes: choices("checkbox"),
  radio_buttons: choices("radio"),
  plain_text_input: typed("text"),
  number_input: typed("number"),
  url_text_input: typed("url"),
  email_text_input: typed("email"),
  datepicker: typed("date"),
  timepicker: typed("time"),
};
