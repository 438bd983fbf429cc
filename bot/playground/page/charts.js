// data_visualization: bar, line, area and pie in SVG, with the same figures in a table for those who see no picture.
import { h, svg } from "./dom.js";

const WIDTH = 560, HEIGHT = 220, LEFT = 52, BOTTOM = 34, TOP = 10, RIGHT = 8;
const number = (value) => new Intl.NumberFormat(document.documentElement.lang || undefined, { maximumFractionDigits: 4 }).format(value);
const color = (index) => `var(--chart-${index % 6})`;

export function chart(block) {
  const one = block.chart;
  const drawn = one.type === "pie" ? pie(one) : axes(one);
  return h("figure", {}, h("figcaption", {}, block.title), drawn, legend(one), figures(block));
}

function legend(one) {
  const names = one.type === "pie" ? one.segments.map((part) => part.label) : one.series.map((part) => part.name);
  if (one.type !== "pie" && names.length < 2) return null;
  return h("ul", { class: "legend", "aria-hidden": "true" }, names.map((name, index) => {
    const dot = h("span", { class: "dot" });
    dot.style.background = color(index);
    return h("li", {}, dot, name);
  }));
}

/** The chart as a table: what a screen reader gets, and everybody who opens it. */
function figures(block) {
  const one = block.chart;
  const names = one.type === "pie" ? [block.title] : one.series.map((part) => part.name);
  const columns = one.type === "pie" ? [one.segments] : one.series.map((part) => part.data);
  const labels = one.type === "pie" ? one.segments.map((part) => part.label) : one.axis_config.categories;
  const value = (points, label) => points.find((point) => point.label === label)?.value;
  const shown = (found) => (found === undefined ? "–" : number(found));
  return h("details", { class: "figures" }, h("summary", {}, "Figures"),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": block.title }, h("table", {},
      h("tr", {}, h("th", {}, one.axis_config?.x_label ?? ""), names.map((name) => h("th", { scope: "col" }, name))),
      labels.map((label) => h("tr", {}, h("th", { scope: "row" }, label),
        columns.map((points) => h("td", { class: "number" }, shown(value(points, label)))))))));
}

function scale(one) {
  const values = one.series.flatMap((part) => part.data.map((point) => point.value));
  const top = Math.max(0, ...values), low = Math.min(0, ...values);
  const step = 10 ** Math.floor(Math.log10((top - low) || 1));
  const ceiling = Math.ceil(top / step) * step || 1, floor = Math.floor(low / step) * step;
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - floor) / (ceiling - floor));
  const ticks = [0, 1, 2, 3, 4].map((part) => floor + ((ceiling - floor) * part) / 4);
  return { y, ticks };
}

function axes(one) {
  const labels = one.axis_config.categories, { y, ticks } = scale(one);
  const slot = (WIDTH - LEFT - RIGHT) / labels.length;
  const x = (index) => LEFT + slot * (index + 0.5);
  const grid = ticks.map((tick) => [
    svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(tick), y2: y(tick), class: "grid" }),
    svg("text", { x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, number(tick)),
  ]);
  const every = Math.ceil(labels.length / 8);
  const names = labels.map((label, index) => index % every ? null :
    svg("text", { x: x(index), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, label.length > 14 ? `${label.slice(0, 13)}…` : label));
  const mark = one.type === "bar" ? bars : lines;
  const said = `${one.type} chart; its figures are in the table below`;
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": said, class: "chart" },
    grid, mark(one, labels, x, y, slot), names,
    one.axis_config.y_label ? svg("text", { x: 4, y: TOP + 2, class: "axis" }, one.axis_config.y_label) : null);
}

function bars(one, labels, x, y, slot) {
  const wide = Math.min(46, (slot * 0.72) / one.series.length);
  return one.series.map((part, index) => part.data.map((point) => {
    const at = x(labels.indexOf(point.label)) + (index - one.series.length / 2) * wide;
    const [top, base] = [Math.min(y(point.value), y(0)), Math.max(y(point.value), y(0))];
    return [
      svg("rect", { x: at, width: wide - 2, y: top, height: Math.max(1, base - top), rx: 2, fill: color(index) }),
      one.series.length === 1 ? svg("text", { x: at + wide / 2, y: top - 3, "text-anchor": "middle", class: "value" }, number(point.value)) : null,
    ];
  }));
}

function lines(one, labels, x, y) {
  return one.series.map((part, index) => {
    const points = part.data.map((point) => [x(labels.indexOf(point.label)), y(point.value)]);
    const path = points.map(([px, py], at) => `${at ? "L" : "M"}${px},${py}`).join("");
    const area = `${path}L${points.at(-1)[0]},${y(0)}L${points[0][0]},${y(0)}Z`;
    return [
      one.type === "area" ? svg("path", { d: area, fill: color(index), opacity: 0.25 }) : null,
      svg("path", { d: path, fill: "none", stroke: color(index), "stroke-width": 2 }),
      points.length < 9 ? points.map(([px, py]) => svg("circle", { cx: px, cy: py, r: 3, fill: color(index) })) : null,
    ];
  });
}

function pie(one) {
  const total = one.segments.reduce((sum, part) => sum + part.value, 0);
  let at = -Math.PI / 2;
  const radius = 88, center = [110, 110];
  const point = (angle) => `${center[0] + radius * Math.cos(angle)},${center[1] + radius * Math.sin(angle)}`;
  const parts = one.segments.map((part, index) => {
    const turn = (part.value / total) * Math.PI * 2, from = at;
    at += turn;
    if (turn > Math.PI * 1.999) return svg("circle", { cx: center[0], cy: center[1], r: radius, fill: color(index) });
    return svg("path", { d: `M${center}L${point(from)}A${radius},${radius} 0 ${turn > Math.PI ? 1 : 0} 1 ${point(at)}Z`, fill: color(index), class: "segment" });
  });
  return svg("svg", { viewBox: "0 0 220 220", role: "img", "aria-label": "pie chart; its figures are in the table below", class: "chart pie" }, parts);
}
