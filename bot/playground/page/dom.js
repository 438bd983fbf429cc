// Elements from data. Text only ever goes in as text: there is no innerHTML in this page.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element: `h("p", {class: "x", onclick: f}, "text", child)`. */
export const h = (tag, attributes, ...children) => filled(document.createElement(tag), attributes, children);

/** The same in SVG. */
export const svg = (tag, attributes, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

let serial = 0;
/** An id that no other element has. */
export const fresh = (prefix) => `${prefix}-${(serial += 1)}`;

/**
 * Makes `parent` hold one node for each item, in order. An item whose `key` and content did not change keeps its node,
 * so that focus, open menus and what a screen reader stands on stay.
 */
export function keep(parent, items, key, draw) {
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const wanted = items.map((item) => {
    const name = key(item), content = JSON.stringify(item), old = known.get(name);
    if (old && old.content === content) return old;
    const node = draw(item);
    node.dataset.key = name;
    node.content = content;
    if (old?.contains(document.activeElement)) queueMicrotask(() => refocus(node, document.activeElement));
    return node;
  });
  wanted.forEach((node, index) => {
    if (parent.children[index] !== node) parent.insertBefore(node, parent.children[index] ?? null);
  });
  while (parent.children.length > wanted.length) parent.lastElementChild.remove();
}

function refocus(node, active) {
  if (active === document.body || !active) {
    node.setAttribute("tabindex", "-1");
    node.focus({ preventScroll: true });
  }
}
