// Modals: Slack's views on the browser's own <dialog>, which keeps focus inside and closes with Escape.
import { h, fresh } from "./dom.js";
import { plain, textObject } from "./mrkdwn.js";
import { blocks } from "./blocks.js";

/** Asks as Slack does before a dangerous click; true when the person goes on. */
export function confirmed(confirm, who) {
  return new Promise((resolve) => {
    const id = fresh("confirm");
    const done = (answer) => { dialog.close(); dialog.remove(); resolve(answer); };
    const style = confirm.style === "danger" ? "button-danger" : "button-primary";
    const dialog = h("dialog", { class: "modal confirm", "aria-labelledby": id, oncancel: () => done(false) },
      h("h2", { id }, ...plain(confirm.title.text)), h("div", { class: "modal-body" }, ...textObject(confirm.text, who)),
      h("div", { class: "modal-foot" },
        h("button", { type: "button", class: "button", onclick: () => done(false) }, ...plain(confirm.deny.text)),
        h("button", { type: "button", class: `button ${style}`, onclick: () => done(true) }, ...plain(confirm.confirm.text))));
    document.body.append(dialog);
    dialog.showModal();
  });
}

const open = new Map(); // view id -> {dialog, hash, values}

/** Shows the views that are open, the newest on top; `does` has click, submit and close. */
export function modals(views, who, does, place) {
  for (const [id, shown] of open) {
    if (!views.some((view) => view.id === id)) {
      shown.dialog.close();
      shown.dialog.remove();
      open.delete(id);
    }
  }
  for (const view of views) {
    const shown = open.get(view.id) ?? started(view, does, place);
    const state = view.hash + JSON.stringify(view.errors);
    if (shown.state !== state) {
      shown.state = state;
      fill(shown, view, who, does);
    }
  }
}

function started(view, does, place) {
  const dialog = h("dialog", { class: "modal", "aria-labelledby": `title-${view.id}` });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); does.close(view.id); });
  place.append(dialog);
  const shown = { dialog, state: "", values: new Map() };
  open.set(view.id, shown);
  dialog.showModal();
  return shown;
}

function fill(shown, view, who, does) {
  const content = view.content;
  const on = { who, values: shown.values, errors: view.errors, act: (one, block, choice) => does.click(view.id, one, block, choice) };
  const close = h("button", { type: "button", class: "button", onclick: () => does.close(view.id) }, content.close ? content.close.text : "Close");
  const submit = content.submit ? h("button", { type: "submit", class: "button button-primary" }, content.submit.text) : null;
  const form = h("form", { novalidate: true },
    h("div", { class: "modal-head" }, h("h2", { id: `title-${view.id}` }, ...plain(content.title.text))),
    h("div", { class: "modal-body", tabindex: 0 }, blocks(content.blocks, on)),
    h("div", { class: "modal-foot" }, close, submit));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    does.submit(view.id, Object.fromEntries(shown.values));
  });
  const focused = shown.dialog.contains(document.activeElement);
  shown.dialog.replaceChildren(form);
  if (focused) (form.querySelector("[aria-invalid=true]") ?? form.querySelector("input, select, textarea, button")).focus();
}
