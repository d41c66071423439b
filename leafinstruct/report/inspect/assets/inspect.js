// The page: passes the records to the charts and the gallery.

"use strict";

for (const record of records) {
  const drops = record.drops, refused = record.refused ?? [];
  record.outcome = record.verdict === "kept" && !record.examples.length && refused.some((entry) => entry[1] === null) ? "dropped" : record.verdict;
  record.rules = [...new Set([...refused, ...drops, ...record.edits].map((entry) => entry[0]))];
  record.reasons = [...new Set([...[...refused, ...drops].map(why), ...record.edits.map(([, line]) => line)])];
  record.bySegment = new Map(record.segments.map((segment) => [segment.at, segment]));
  record.images = record.segments.filter((segment) => segment.kind === "image").map((segment) => {
    const drop = drops.find((other) => other[1] === segment.at);
    return { number: segment.image, drop: drop ? why(drop) : "" };
  });
  record.order = new Map(record.segments.filter((segment) => segment.kind === "image").map((segment, index) => [segment.at, index]));
}

// The rules with their current bounds. A score without a rule has an empty one, which is ignored until it gets a bound.
const rules = meta.rules.map((rule) => ({ ...rule, given: true }));
for (const level of ["own", "image"]) {
  for (const score of meta.scores[level]) {
    if (!rules.some((rule) => rule.score === score.name)) rules.push({ score: score.name, level, min: null, max: null, drop: "image", given: false });
  }
}
for (const rule of rules) rule.original = { min: rule.min, max: rule.max };

// Replaying the bounds of the build must give the verdicts of the build. Where it does not, the page reports it and the record is unknown.
const built = plan(meta, rules);
let inconsistent = 0;
for (const record of records) {
  if (record.verdict === "undecided") continue;
  const { fate, before } = replay(record, built);
  record.before = before;
  record.inconsistent = fate !== record.verdict;
  inconsistent += record.inconsistent;
}
if (inconsistent) meta.notes.push(`The verdicts of ${number(inconsistent)} records do not follow from the current rules, because the run is between two builds. They count as unknown when a bound is moved.`);

let pending = 0;
function scheduleReplay() {
  pending ||= requestAnimationFrame(() => { pending = 0; replayAll(); });
}

// Replay every record under the current bounds.
function replayAll() {
  const moved = rules.some((rule) => rule.min !== rule.original.min || rule.max !== rule.original.max);
  const counts = { kept: 0, now: 0, lost: 0, won: 0, unknown: 0 };
  const planned = plan(meta, rules);
  for (const record of records) {
    record.moved = record.movedBy = null;
    if (record.verdict === "undecided") continue;
    counts.kept += record.verdict === KEPT;
    if (!moved) continue;
    const { fate, why: by } = record.inconsistent ? { fate: UNKNOWN, why: null } : replay(record, planned);
    counts.now += fate === KEPT;
    if (fate === record.verdict) continue;
    record.moved = { kept: "won", dropped: "lost", unknown: "unknown" }[fate];
    record.movedBy = by;
    counts[record.moved] += 1;
  }
  showChanges(moved, counts);
  countStates();
  if (wanted.state && !["kept", "dropped", "undecided"].includes(wanted.state)) find();
  else list();
}

function showChanges(moved, counts) {
  const bar = document.getElementById("what-if");
  bar.hidden = !moved;
  if (!moved) return bar.replaceChildren();
  const part = (count, text, state) => (count ? h("button", { type: "button", class: `link ${state}`, "data-state": state, onclick: () => show({ state }) }, `${number(count)} ${text}`) : null);
  const parts = [part(counts.lost, "would be dropped", "lost"), part(counts.won, "would be kept", "won"), part(counts.unknown, "unknown", "unknown")].filter(Boolean);
  bar.replaceChildren(
    h("span", {}, "With these bounds filter keeps ", h("b", { id: "now" }, number(counts.now)), ` of ${number(records.length)} records instead of ${number(counts.kept)}`),
    ...(parts.length ? parts : [h("span", { class: "quiet" }, "no record changes")]),
    h("button", { type: "button", id: "reset", onclick: reset }, "Reset the bounds"));
}

function reset() {
  for (const card of cards) {
    for (const field of card.fields) field.reset();
    summarize(card);
    if (card.near) Plotly.relayout(card.chart, { shapes: linesOf(card) });
    else card.stale = true;
  }
  replayAll();
}

function toggleTheme() {
  switchTheme();
  renderCharts();
}

const help = document.getElementById("help");
const KEYS = { j: () => step(1), k: () => step(-1), n: () => turn(1), p: () => turn(-1), t: toggleTheme, "?": () => help.showModal(), "/": () => document.getElementById("search").focus() };
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=range]):not([type=checkbox]), select, textarea");
  if (event.key === "Escape" && typing) return event.target.blur();
  if (typing || help.open || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});
document.getElementById("theme").addEventListener("click", toggleTheme);
document.getElementById("help-button").addEventListener("click", () => help.showModal());
document.getElementById("how").addEventListener("click", () => help.showModal());
document.getElementById("log").addEventListener("change", renderCharts);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renderCharts);

renderFunnel();
makeCards();
makeFilters();
countStates();
find();
