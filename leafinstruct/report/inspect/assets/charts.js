// The funnel and the histograms, as Plotly charts. The chart of a score is rendered when it is scrolled near the window.

"use strict";

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const CONFIG = { displayModeBar: false, responsive: true, edits: { shapePosition: true } };

function layout(more) {
  const axis = { gridcolor: color("line"), zeroline: false, linecolor: color("line"), fixedrange: true };
  const { xaxis, yaxis, ...rest } = more;
  return {
    font: { family: "system-ui, sans-serif", size: 12, color: color("soft") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, showlegend: false, barmode: "stack",
    hoverlabel: { bgcolor: color("card"), bordercolor: color("line"), font: { color: color("ink") } },
    margin: { l: 44, r: 12, t: 8, b: 28 }, xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
  };
}

// The funnel -----------------------------------------------------------------------------------------------------------------

function renderFunnel() {
  const table = document.getElementById("funnel-table");
  table.append(h("thead", {}, h("tr", {}, h("th", { scope: "col" }, ""), h("th", { scope: "col" }, "documents"), h("th", { scope: "col" }, "images"))));
  const body = h("tbody", {});
  for (const step of meta.funnel) {
    for (const loss of step.losses) body.append(lossRow(loss, step));
    body.append(h("tr", { class: "stage" }, h("th", { scope: "row" }, step.label), h("td", {}, number(step.documents)), h("td", {}, number(step.images))));
  }
  table.append(body);
  document.getElementById("notes").append(...meta.notes.map((note) => h("p", { class: "note" }, note)));
  renderSources();
}

function lossRow(loss, step) {
  const sign = step.stage === "ingest" ? "" : "−";
  const name = step.stage === "ingest" ? h("span", {}, loss.reason)
    : h("button", { class: "link", type: "button", onclick: () => show({ rule: loss.reason }) }, loss.reason);
  // an edit loses neither a document nor an image, so its number is in the words
  if (loss.of === "texts") name.append(`: ${number(loss.count)} edits of texts`);
  const cells = loss.of === "texts" ? ["", ""] : loss.of === "documents" ? [sign + number(loss.count), ""] : ["", sign + number(loss.count)];
  const title = Object.entries(loss.sources).map(([source, count]) => `${source}: ${number(count)}`).join(", ");
  return h("tr", { class: "loss", title }, h("th", { scope: "row" }, name), ...cells.map((cell) => h("td", {}, cell)));
}

function renderSources() {
  const sources = [...meta.sources].reverse(); // Plotly starts at the bottom
  const outcomes = meta.outcomes;
  const shades = Object.keys(outcomes).filter((name) => name !== "kept" && name !== "undecided");
  const traces = Object.entries(outcomes).map(([name, counts]) => ({
    type: "bar", orientation: "h", name: escaped(name), y: sources.map((source) => escaped(shorten(source, 24))), x: sources.map((source) => counts[source] ?? 0),
    marker: { color: name === "kept" ? color("kept") : name === "undecided" ? color("line") : fade(shades.indexOf(name), shades.length) },
    hovertemplate: `${escaped(name)}: %{x:,}<extra></extra>`,
  }));
  const named = 22 * Math.ceil(traces.length / Math.max(1, Math.floor(document.getElementById("source-chart").clientWidth / 230)));
  Plotly.react("source-chart", traces, layout({
    height: 40 * sources.length + 60 + named, showlegend: true, legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0, xref: "container", traceorder: "normal", entrywidth: 190, maxheight: named + 22 },
    margin: { l: 8, r: 8, t: 8, b: 36 + named }, xaxis: { rangemode: "tozero" }, yaxis: { automargin: true, type: "category", showgrid: false, ticklabelstandoff: 6 },
  }), { ...CONFIG, edits: {} });
}

// Shades of the color of what was dropped, from strong to pale.
const fade = (index, count) => {
  const strong = color("dropped-rgb").split(",").map(Number);
  return `rgba(${strong.join()},${(1 - 0.75 * index / Math.max(1, count - 1)).toFixed(2)})`;
};

// Plotly interprets some markup in texts.
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("%", "&#37;");

// The scores -----------------------------------------------------------------------------------------------------------------

const cards = [];
const seen = new IntersectionObserver((entries) => entries.forEach((entry) => {
  const card = cards.find((other) => other.chart === entry.target);
  card.near = entry.isIntersecting;
  if (card.near && card.stale) renderCard(card);
}), { rootMargin: "200px" });

function makeCards() {
  const judged = document.getElementById("cards"), others = document.querySelector("#others .cards");
  const missing = [];
  for (const level of ["own", "image"]) {
    meta.scores[level].forEach((score, column) => {
      const values = valuesOf(level, column);
      const over = rules.filter((rule) => rule.score === score.name);
      if (!values.count) return void (over.some((rule) => rule.given) ? missing.unshift : missing.push).call(missing, score.name);
      for (const rule of over) {
        const card = makeCard(score, level, values, rule);
        cards.push(card);
        (rule.given ? judged : others).append(card.element);
        seen.observe(card.chart);
      }
    });
  }
  const unruled = document.getElementById("others");
  unruled.querySelector("summary").textContent = `${number(unruled.querySelectorAll(".card").length)} scores without a rule`;
  unruled.hidden = !unruled.querySelector(".card");
  document.getElementById("scores").hidden = !cards.length;
  if (missing.length && cards.length) document.getElementById("unscored").textContent = `No record has a value of: ${missing.join(", ")}.`;
}

// The cells of a score, by the outcome of their record or image. empty: number of cells without a value. never: number of cells that were not computed.
function valuesOf(level, column) {
  const found = { kept: [], dropped: [], empty: 0, never: 0, count: 0 };
  const put = (cell, kept) => {
    if (cell === null) found.never += 1;
    else if (typeof cell !== "number") found.empty += 1;
    else found[kept ? "kept" : "dropped"].push(cell), found.count += 1;
  };
  for (const record of records) {
    if (record.verdict === "undecided") continue;
    const kept = record.verdict === "kept";
    if (level === "own") put(record.scores[column], kept);
    else record.images.forEach((image, index) => put((record.image_scores[column] ?? [])[index] ?? null, kept && !image.drop));
  }
  return found;
}

function makeCard(score, level, values, rule) {
  const card = { score, level, values, rule, stale: true, near: false, chart: h("div", { class: "chart", role: "img", "aria-label": `Histogram of ${score.name}` }) };
  const all = [...values.kept, ...values.dropped];
  card.low = all.reduce((a, b) => Math.min(a, b), rule.min ?? rule.max ?? Infinity);
  card.high = all.reduce((a, b) => Math.max(a, b), rule.max ?? rule.min ?? -Infinity);
  card.summary = h("p", { class: "summary" });
  card.fields = ["min", "max"].map((bound) => makeBound(card, bound));
  const given = rule.given ? [rule.min !== null ? `≥ ${rule.min}` : "", rule.max !== null ? `≤ ${rule.max}` : ""].filter(Boolean).join(", ") : "no rule";
  const costs = level === "image" && rule.given ? `, else drops the ${rule.drop}` : "";
  card.element = h("article", { class: "card", "data-score": score.name },
    h("h3", {}, score.name, h("span", { class: "tag" }, given + costs)),
    h("p", { class: "quiet" }, score.meaning + (score.model ? `; by ${score.model}` : "")),
    card.chart, h("div", { class: "bounds" }, ...card.fields.map((field) => field.element)), card.summary);
  summarize(card);
  return card;
}

// One bound: a number field, and a slider if it is set.
function makeBound(card, bound) {
  const { rule } = card, label = bound === "min" ? "at least" : "at most";
  const span = card.high - card.low || 1;
  const slider = h("input", { type: "range", min: card.low, max: card.high, step: span / 500, "aria-label": `${card.score.name} ${label}, slider` });
  const field = h("input", { type: "number", step: "any", placeholder: "none", "aria-label": `${card.score.name} ${label}` });
  const given = rule[bound];
  const put = (value) => { // show a bound of the rule
    field.value = value === null ? "" : value;
    slider.hidden = value === null;
    if (value !== null) slider.value = value;
  };
  const set = (value) => { rule[bound] = value; put(value); boundMoved(card); };
  slider.addEventListener("input", () => set(rounded(Number(slider.value), span)));
  field.addEventListener("input", () => { rule[bound] = field.value === "" ? null : Number(field.value); slider.hidden = field.value === ""; if (field.value !== "") slider.value = field.value; boundMoved(card); });
  put(given);
  return { bound, set, reset: () => { rule[bound] = given; put(given); }, element: h("div", { class: "bound" }, h("label", {}, label, field), slider) };
}

const rounded = (value, span) => Number(value.toFixed(Math.max(0, Math.min(4, 3 - Math.floor(Math.log10(span))))));

function summarize(card) {
  const { values, rule } = card, unit = card.level === "own" ? "records" : "images";
  const all = [...values.kept, ...values.dropped];
  const failing = (bounds) => (bounds.min === null && bounds.max === null ? 0 : all.filter((value) => fails(bounds, value)).length + values.empty);
  const now = failing(rule), before = failing(rule.original);
  const set = rule.min !== null || rule.max !== null;
  const parts = [set ? `${number(now)} of ${number(all.length + values.empty)} ${unit} fail${now === before ? "" : ` (was ${number(before)})`}` : `${number(all.length)} ${unit}`];
  if (values.empty) parts.push(`${number(values.empty)} without a value, which fails every rule`);
  if (values.never) parts.push(`${number(values.never)} unknown: dropped before it was computed`);
  card.summary.textContent = parts.join("; ") + ".";
}

function renderCard(card) {
  card.stale = false;
  const size = (card.high - card.low || 1) / 40;
  const bins = { start: card.low, end: card.high + size, size };
  const trace = (name, x) => ({ type: "histogram", name, x, xbins: bins, autobinx: false, marker: { color: color(name) }, hovertemplate: `%{y:,} ${name}, at %{x}<extra></extra>` });
  const pad = (card.high - card.low || 1) * 0.03;
  const shape = layout({
    height: 170, shapes: linesOf(card), bargap: 0.04,
    xaxis: { showgrid: false, range: [card.low - pad, (card.high > card.low ? card.high : card.low + 1) + pad + size / 2] }, yaxis: { rangemode: "tozero", type: document.getElementById("log").checked ? "log" : "linear", nticks: 4 },
  });
  const traces = ["kept", "dropped"].filter((name) => card.values[name].length).map((name) => trace(name, card.values[name])); // Plotly warns about empty traces
  Plotly.react(card.chart, traces, shape, CONFIG);
  if (card.listening) return;
  card.listening = true;
  card.chart.on("plotly_relayout", (change) => card.lines.forEach((field, index) => {
    const moved = change[`shapes[${index}].x0`];
    if (moved !== undefined) field.set(rounded(Math.min(card.high, Math.max(card.low, moved)), card.high - card.low || 1));
  }));
}

// One line per bound that is set; it can be dragged sideways.
function linesOf(card) {
  card.lines = card.fields.filter((field) => card.rule[field.bound] !== null);
  return card.lines.map((field) => ({
    type: "line", yref: "paper", y0: 0, y1: 1, x0: card.rule[field.bound], x1: card.rule[field.bound], line: { color: color("accent"), width: 3, dash: card.rule[field.bound] === card.rule.original[field.bound] ? "solid" : "dash" },
  }));
}

function boundMoved(card) {
  summarize(card);
  if (card.near) Plotly.relayout(card.chart, { shapes: linesOf(card) });
  else card.stale = true;
  scheduleReplay();
}

function renderCharts() {
  renderSources();
  for (const card of cards) {
    card.stale = true;
    if (card.near) renderCard(card);
  }
}
