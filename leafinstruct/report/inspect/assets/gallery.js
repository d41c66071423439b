// The records: search, filters, and a list by pages. Only the records of one page are in the document; images are decoded when their record is shown.

"use strict";

const PER_PAGE = 12;
const TALL = 900; // pixels above which a record is folded
const wanted = { text: "", state: "", rule: "", source: "", task: "" };
let found = [], page = 0;

function makeFilters() {
  const outcome = new Map(), sources = new Map(), tasks = new Map();
  const count = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);
  for (const record of records) {
    for (const rule of record.rules) count(outcome, rule);
    count(sources, record.source);
    for (const task of new Set(record.examples.map((example) => example.task))) count(tasks, task);
  }
  options("rule", "Any rule", outcome);
  options("source", "Any source", sources);
  options("task", "Any task", tasks);
  for (const name of ["state", "rule", "source", "task"]) document.getElementById(name).addEventListener("change", (event) => { wanted[name] = event.target.value; find(); });
  let waiting = 0;
  document.getElementById("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { wanted.text = event.target.value.trim().toLowerCase(); find(); }, 80);
  });
  document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => show({}, false));
  document.getElementById("previous").addEventListener("click", () => turn(-1));
  document.getElementById("next").addEventListener("click", () => turn(1));
}

function options(name, any, counts) {
  const sorted = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  document.getElementById(name).replaceChildren(h("option", { value: "" }, any), ...sorted.map(([value, count]) => h("option", { value }, `${shorten(value, 48)} (${number(count)})`)));
}

// States with their counts. States of changed records are listed only while bounds are moved.
function countStates() {
  const counts = { "": records.length };
  for (const record of records) for (const state of statesOf(record)) counts[state] = (counts[state] ?? 0) + 1;
  const names = { "": "All", kept: "Kept", dropped: "Dropped", undecided: "Not decided yet", changed: "Would change", lost: "Would be dropped", won: "Would be kept", unknown: "Would be unknown" };
  if (!(wanted.state in counts)) wanted.state = "";
  document.getElementById("state").replaceChildren(...Object.entries(names).filter(([state]) => state in counts).map(([value, label]) => h("option", { value }, `${label} (${number(counts[value])})`)));
  document.getElementById("state").value = wanted.state;
}

const statesOf = (record) => [record.outcome, ...(record.moved ? ["changed", record.moved] : [])];

// Set the given filters, clear the others, and scroll to the records.
function show(filters, scroll = true) {
  Object.assign(wanted, { text: "", state: "", rule: "", source: "", task: "" }, filters);
  document.getElementById("search").value = wanted.text;
  for (const name of ["rule", "source", "task"]) document.getElementById(name).value = wanted[name];
  countStates();
  find();
  if (scroll) document.getElementById("records").scrollIntoView();
}

function find() {
  found = records.filter((record) => (!wanted.state || statesOf(record).includes(wanted.state)) && (!wanted.rule || record.rules.includes(wanted.rule))
    && (!wanted.source || record.source === wanted.source) && (!wanted.task || record.examples.some((example) => example.task === wanted.task)) && (!wanted.text || words(record).includes(wanted.text)));
  page = 0;
  const all = found.length === records.length;
  document.getElementById("count").textContent = `${number(found.length)}${all ? "" : ` of ${number(records.length)}`} records`;
  list();
}

// The text that the search looks at, built once.
function words(record) {
  record.haystack ??= [record.id, ...record.examples.map((example) => example.id), record.url, record.file, record.locator, ...record.segments.flatMap((segment) => [segment.text, segment.alt]),
    ...record.examples.flatMap((example) => example.turns).flatMap((turn) => turn.parts.map((part) => part.text))].filter(Boolean).join("\n").toLowerCase();
  return record.haystack;
}

function list() {
  const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
  document.getElementById("page").textContent = `Page ${number(page + 1)} of ${number(pages)}`;
  document.getElementById("previous").disabled = page === 0;
  document.getElementById("next").disabled = page + 1 >= pages;
  const shown = found.slice(page * PER_PAGE, (page + 1) * PER_PAGE);
  document.getElementById("gallery").replaceChildren(...(shown.length ? shown.map(article) : [h("p", { class: "empty" }, "No record matches.")]));
  for (const element of document.querySelectorAll("#gallery .body")) fold(element);
}

function turn(by) {
  const pages = Math.ceil(found.length / PER_PAGE);
  if (page + by < 0 || page + by >= pages) return false;
  page += by;
  list();
  document.getElementById("filters").scrollIntoView();
  return true;
}

// Keys j and k: the next or previous record, also on another page.
function step(by) {
  const shown = [...document.querySelectorAll("#gallery article")];
  let at = shown.indexOf(document.activeElement?.closest("#gallery article")) + by;
  if (by < 0 && at === -2) at = 0;
  if (at < 0 || at >= shown.length) {
    if (!turn(by)) return;
    const now = [...document.querySelectorAll("#gallery article")];
    return now[by > 0 ? 0 : now.length - 1].focus();
  }
  shown[at].focus();
}

// One record ------------------------------------------------------------------------------------------------------------------

function article(record) {
  const body = h("div", { class: "body" });
  const fill = (view) => body.replaceChildren(...(view === "example" ? turnsOf(record) : record.segments.map((segment) => segmentOf(record, segment))));
  const views = record.examples.length ? h("div", { class: "views", role: "group", "aria-label": "View" }, ...["example", "source"].map((view) => h("button", {
    type: "button", "aria-pressed": String(view === "example"), onclick: (event) => {
      for (const button of views.children) button.setAttribute("aria-pressed", String(button === event.target));
      fill(view);
      fold(body);
    },
  }, view))) : null;
  fill(record.examples.length ? "example" : "source");
  const moved = { lost: "would be dropped", won: "would be kept", unknown: "would be unknown" }[record.moved];
  return h("article", { tabindex: "0", class: record.outcome, "aria-label": `Record ${record.id}, ${record.outcome}`, "data-id": record.id },
    h("header", {},
      h("span", { class: `badge ${record.outcome}` }, record.outcome === "undecided" ? "not decided yet" : record.outcome),
      moved ? h("span", { class: "badge moved" }, moved + (record.movedBy ? ` by ${record.movedBy}` : "")) : null,
      ...labels(record).map((label) => h("span", { class: "tag" }, label)),
      h("span", { class: "tag", dir: "auto" }, record.source), h("code", {}, record.id), views),
    record.reasons.length ? h("ul", { class: "reasons" }, ...record.reasons.map((reason) => h("li", { dir: "auto" }, reason))) : null,
    h("div", { class: "main" }, body), h("div", { class: "side" }, factsOf(record)));
}

function fold(body) {
  body.parentElement.querySelector(".unfold")?.remove();
  body.classList.remove("folded");
  if (body.scrollHeight <= TALL * 1.2) return;
  body.classList.add("folded");
  body.after(h("button", { type: "button", class: "unfold", onclick: (event) => { body.classList.remove("folded"); event.target.remove(); } }, "Show all of it"));
}

// Task and split of each example; of several with the same, their number.
function labels(record) {
  const counts = new Map();
  for (const example of record.examples) {
    const label = example.task + (example.split ? ` · ${example.split}` : "");
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  return [...counts].map(([label, count]) => (count > 1 ? `${label} × ${count}` : label));
}

// The turns of all examples, with a heading for each if there are several.
function turnsOf(record) {
  const several = record.examples.length > 1;
  return record.examples.flatMap((example, at) => [
    ...(several ? [h("h3", { class: "quiet" }, `Example ${at + 1} of ${record.examples.length}: ${example.task}`)] : []), ...turnsIn(record, example), ...(example.pairs ?? []).map((pair) => pairOf(record, pair))]);
}

// The rejected answer of a preference row, closed at first.
function pairOf(record, pair) {
  const scores = pair.scores.map(([side, name, value]) => `${side} ${name} ${value ?? "none"}`);
  return h("details", { class: "pair" }, h("summary", {}, `Rejected answer (${pair.kind}): ${pair.about}${pair.lender ? `, ${pair.lender}` : ""}`),
    scores.length ? h("p", { class: "quiet" }, scores.join(" · ")) : null, ...turnsIn(record, pair));
}

// An image that another document lends.
function lentImage(part) {
  const source = part.image === null ? null : pixels(part.image);
  return h("figure", {}, source ? h("img", { src: source, alt: `image of ${part.lent}`, decoding: "async" }) : h("div", { class: "absent" }, "image of a document that this page does not show"),
    h("figcaption", {}, `image of document ${part.lent}`));
}

function turnsIn(record, example) {
  return example.turns.map((turn) => h("section", { class: `turn ${turn.role === "assistant" ? "assistant" : "user"}` }, h("h4", {}, turn.role), ...turn.parts.map((part) => {
    if (part.lent !== undefined) return lentImage(part);
    if (part.at === undefined) return textOf(part, "prose");
    return segmentOf(record, record.bySegment.get(part.at), true);
  })));
}

function segmentOf(record, segment, plain = false) {
  if (segment.kind !== "image") return textOf(segment, plain ? "prose" : segment.kind);
  const image = record.images[record.order.get(segment.at)];
  const source = image.number === null ? null : pixels(image.number);
  const what = source ? h("img", { src: source, alt: segment.alt || `image at ${segment.at}`, decoding: "async", class: segment.size && Math.max(...segment.size) < 200 ? "small" : "" })
    : h("div", { class: "absent" }, segment.reason ? `no image: ${segment.reason}` : image.number !== null ? "image left out to keep this page small"
      : record.verdict === "undecided" ? "not read yet" : "not read: its document was dropped earlier");
  const lines = [segment.role && !plain ? segment.role : "", image.drop, source ? "" : segment.ref].filter(Boolean);
  return h("figure", { class: image.drop ? "lost" : "" }, what, lines.length ? h("figcaption", { dir: "auto" }, lines.join(" · ")) : null);
}

function factsOf(record) {
  const explanations = Object.entries(record.explanations);
  const rows = meta.scores.own.flatMap((score, at) => (record.scores[at] === null ? [] : [h("tr", {}, h("th", { scope: "row" }, score.name), h("td", { class: record.drops.some((drop) => drop[0] === score.name) ? "fails" : "" }, String(record.scores[at]), record.explanations[score.name] ? h("p", { class: "explanation", dir: "auto" }, record.explanations[score.name]) : null))]));
  const ofImages = meta.scores.image.flatMap((score, at) => (record.image_scores[at] === null ? [] : [h("tr", {}, h("th", { scope: "row" }, score.name), h("td", {}, record.image_scores[at].map((cell) => cell ?? "–").join("   ")))]));
  const origin = [record.file, record.locator].filter(Boolean).join(" ");
  const url = safe(record.url);
  return h("details", matchMedia("(min-width: 70rem)").matches ? { open: "" } : {}, h("summary", {}, explanations.length ? "Scores, the judge's reasons, origin" : "Scores, origin"),
    rows.length + ofImages.length ? h("div", { class: "wide" }, h("table", {}, h("tbody", {}, ...rows, ...ofImages))) : null,
    h("dl", {}, h("dt", {}, "file"), h("dd", { dir: "auto" }, origin),
      h("dt", {}, "URL"), h("dd", { dir: "auto" }, url ? h("a", { href: url, rel: "noopener noreferrer nofollow", target: "_blank" }, record.url) : record.url ?? "unknown"),
      h("dt", {}, "language"), h("dd", {}, record.language),
      h("dt", {}, "license"), h("dd", { dir: "auto" }, record.license ?? "unknown"),
      ...record.examples.flatMap((example) => [h("dt", {}, "example"), h("dd", {}, `${example.id}, ${example.by ? `by ${example.by}` : "not rewritten"}`),
        ...example.checks.flatMap(([name, value, detail]) => [h("dt", {}, name), h("dd", {}, `${value ?? "not applicable"}${detail ? `: ${detail}` : ""}`)])])));
}
