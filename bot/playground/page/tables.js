// Tables: `table` (older, at most 100 rows) and `data_table` (pages, sortable by a click on a column's head).
import { h } from "./dom.js";
import { richText } from "./rich_text.js";

const PAGE = 20; // rows that Slack shows at once where the block names no page_size

function cell(tag, content, who, attributes = {}) {
  const node = content?.type === "rich_text" ? richText(content, who) : (content?.text ?? "");
  const kind = content?.type === "raw_number" ? "number" : undefined;
  return h(tag, { class: kind, ...attributes }, node);
}

/** The whole table in a box that scrolls sideways. */
export function table(block, who) {
  const settings = block.column_settings ?? [];
  const styled = (index) => ({ class: `align-${settings[index]?.align ?? "left"}` });
  const rows = block.rows.map((row, at) =>
    h("tr", {}, row.map((one, index) => cell(at ? "td" : "th", one, who, at ? styled(index) : { scope: "col" }))));
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table" }, h("table", {}, rows));
}

const worth = (content) =>
  content?.type === "raw_number" ? content.value : content?.text ?? JSON.stringify(content?.elements ?? "");

/** Heads that sort, pages that turn. */
export function dataTable(block, who) {
  const [heads, ...all] = block.rows;
  const size = block.page_size ?? PAGE, named = block.row_header_column_index;
  const state = { page: 0, column: -1, down: false };
  const box = h("div", { class: "data" });

  const sorted = () => {
    if (state.column < 0) return all;
    const order = (a, b) => {
      const [x, y] = [worth(a[state.column]), worth(b[state.column])];
      return typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, { numeric: true });
    };
    return [...all].sort((a, b) => (state.down ? -order(a, b) : order(a, b)));
  };

  const head = (content, index) => {
    const on = state.column === index;
    const sort = () => { state.down = on && !state.down; state.column = index; state.page = 0; draw(index); };
    const mark = on ? (state.down ? " ▾" : " ▴") : "";
    return h("th", { scope: "col", "aria-sort": on ? (state.down ? "descending" : "ascending") : "none" },
      h("button", { type: "button", class: "sort", onclick: sort }, content?.text ?? "", mark));
  };

  const turn = (label, by, pages) => h("button", {
    type: "button", disabled: state.page + by < 0 || state.page + by >= pages,
    onclick: () => { state.page += by; draw(); },
  }, label);

  function draw(focus = -1) {
    const pages = Math.max(1, Math.ceil(all.length / size));
    const shown = sorted().slice(state.page * size, (state.page + 1) * size);
    const body = shown.map((row) => h("tr", {}, row.map((one, index) =>
      index === named ? cell("th", one, who, { scope: "row" }) : cell("td", one, who))));
    box.replaceChildren(
      h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": block.caption },
        h("table", {}, h("caption", {}, block.caption), h("thead", {}, h("tr", {}, heads.map(head))), h("tbody", {}, body))),
      ...(pages > 1 ? [h("div", { class: "pages" }, turn("Previous", -1, pages),
        h("span", { class: "small" }, `${state.page + 1} / ${pages}`), turn("Next", 1, pages))] : []));
    if (focus >= 0) box.querySelectorAll(".sort")[focus].focus();
  }
  draw();
  return box;
}
