// The audit: one document at a time, an answer for each, kept in the browser and saved as a file of labels.
//
// An answer is {value: "keep" or "drop", reason}. The file has the lines of leafinstruct/evaluate/labels.py.

"use strict";

const $ = (id) => document.getElementById(id);
const answers = new Map(); // id -> answer
let at = 0;
let unsaved = false;

// The store of the browser -------------------------------------------------------------------------------------------------------

// A browser may forbid the store for files. Then the answers are lost with the page, which it reports.
function stored() {
  try {
    return JSON.parse(localStorage.getItem(meta.store) ?? "{}");
  } catch {
    return null;
  }
}

function remember() {
  unsaved = true;
  try {
    localStorage.setItem(meta.store, JSON.stringify({ annotator: annotator(), at, answers: [...answers] }));
    return true;
  } catch {
    return false;
  }
}

const annotator = () => $("annotator").value.replace(/\s+/g, " ").replace(/\p{C}/gu, "").trim();

function restore() {
  const found = stored();
  const known = new Set(records.map((record) => record.id));
  $("annotator").value = found?.annotator ?? "";
  for (const [id, answer] of found?.answers ?? []) if (known.has(id)) answers.set(id, answer);
  at = Math.min(found?.at ?? 0, records.length);
  const keeps = remember();
  unsaved = false;
  $("kept-where").textContent = keeps ? "Your answers are stored in this browser, so you may close the page and go on later. Save them as a file when you are done."
    : "This browser does not store answers of this page. Save the labels before you close it.";
  if (!keeps) {
    meta.notes.push("This browser does not store answers of this page. Save the labels before you close it.");
    addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
  }
}

// Answers -------------------------------------------------------------------------------------------------------------------------

function answer(value, reason) {
  const record = records[at];
  if (!record) return;
  const before = answers.get(record.id);
  answers.set(record.id, { value, reason: reason ?? (before?.value === value ? before.reason : "") });
  remember();
}

function keep() {
  answer("keep");
  move(1);
}

function drop() {
  answer("drop");
  show();
}

// A common reason belongs to a drop; the same one again takes it back.
function because(reason) {
  if (!records[at]) return;
  const again = answers.get(records[at].id)?.reason === reason;
  answer("drop", again ? "" : reason);
  if (again) show();
  else move(1);
}

function takeBack() {
  if (!records[at] || !answers.delete(records[at].id)) return;
  remember();
  show();
}

function move(by) {
  at = Math.max(0, Math.min(records.length, at + by));
  remember();
  show();
  scrollTo(0, 0);
}

function firstOpen() {
  const found = records.findIndex((record) => !answers.has(record.id));
  move((found < 0 ? records.length : found) - at);
}

// The file ------------------------------------------------------------------------------------------------------------------------

function lines() {
  const label = (id, aspect, value) => JSON.stringify({ id, subject: "document", aspect, value, annotator: annotator() });
  return records.filter((record) => answers.has(record.id)).flatMap((record) => {
    const { value, reason } = answers.get(record.id);
    return [label(record.id, "keep", value), ...(reason ? [label(record.id, "reason", reason)] : [])];
  });
}

function save() {
  const field = $("annotator");
  field.classList.toggle("wanting", !annotator());
  if (!annotator()) return field.focus();
  const url = URL.createObjectURL(new Blob(lines().map((line) => `${line}\n`), { type: "application/jsonl" }));
  const name = annotator().toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "labels";
  h("a", { href: url, download: `${name}.jsonl` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  unsaved = false;
}

// One document --------------------------------------------------------------------------------------------------------------------

function show() {
  const record = records[at];
  const own = record && answers.get(record.id);
  $("document").replaceChildren(record ? article(record) : finished());
  $("count").textContent = `${record ? `Document ${number(at + 1)} of ${number(records.length)}` : "The end"} · ${number(answers.size)} labeled`;
  $("progress").max = records.length;
  $("progress").value = answers.size;
  for (const value of ["keep", "drop"]) {
    $(value).setAttribute("aria-pressed", String(own?.value === value));
    $(value).disabled = !record;
  }
  $("back").disabled = at === 0;
  $("next").disabled = !record;
  $("reason").value = own?.reason ?? "";
  $("reason").disabled = !own;
  for (const button of $("reasons").children) {
    button.setAttribute("aria-pressed", String(own?.reason === button.dataset.reason));
    button.disabled = !record;
  }
}

function finished() {
  const open = records.length - answers.size;
  return h("div", { class: "finished" },
    h("h2", {}, open ? `${number(open)} documents have no answer yet` : "Every document has an answer"),
    open ? h("p", {}, h("button", { type: "button", onclick: firstOpen }, "Go to the first of them")) : h("p", {}, h("button", { type: "button", onclick: save }, "Save labels")),
    h("p", { class: "quiet" }, "leaf audit RECIPE --labels FILE reads the file."));
}

function article(record) {
  const decided = record.kept === undefined ? null : record.kept ? "kept" : "dropped";
  const url = safe(record.url);
  return h("article", { class: decided ?? "", "data-id": record.id, lang: "" },
    decided ? h("header", {}, h("span", { class: `badge ${decided}` }, `${decided} by the rules`)) : null,
    decided && record.drops.length ? h("ul", { class: "reasons" }, ...[...new Set(record.drops.map(why))].map((reason) => h("li", { dir: "auto" }, reason))) : null,
    h("div", { class: "body" }, ...record.segments.map((segment) => segmentOf(record, segment))),
    decided ? rulesOf(record) : null,
    h("div", { class: "origin" }, h("dl", {},
      h("dt", {}, "source"), h("dd", { dir: "auto" }, record.source),
      ...(record.url ? [h("dt", {}, "URL"), h("dd", { dir: "auto" }, url ? h("a", { href: url, rel: "noopener noreferrer nofollow", target: "_blank" }, record.url) : record.url)] : []),
      h("dt", {}, "language"), h("dd", {}, record.language),
      h("dt", {}, "id"), h("dd", {}, h("code", {}, record.id)))));
}

function segmentOf(record, segment) {
  if (segment.kind !== "image") return textOf(segment, segment.kind);
  const source = pixels(segment.image);
  const lost = record.drops?.filter((drop) => drop[1] === segment.at).map(why)[0] ?? "";
  const what = source ? h("img", { src: source, alt: segment.alt, decoding: "async" })
    : h("div", { class: "absent" }, segment.missing ? `no image: ${segment.missing}` : "no image");
  const lines = [segment.role, lost, source ? "" : segment.alt].filter(Boolean);
  return h("figure", { class: lost ? "lost" : "" }, what, lines.length ? h("figcaption", { dir: "auto" }, lines.join(" · ")) : null);
}

function rulesOf(record) {
  const bounds = (rule) => [rule.min === null ? "" : `at least ${rule.min}`, rule.max === null ? "" : `at most ${rule.max}`].filter(Boolean).join(", ");
  const fails = (rule, value) => value !== null && ((rule.min !== null && value < rule.min) || (rule.max !== null && value > rule.max));
  const shown = (rule) => rule.values.flatMap((value) => [h("span", { class: fails(rule, value) ? "fails" : "" }, value === null ? "–" : String(Number(value.toPrecision(4)))), "   "]);
  const rows = record.rules.map((rule) => h("tr", {}, h("th", { scope: "row" }, rule.name), h("td", {}, bounds(rule)), h("td", {}, ...shown(rule)), h("td", {}, rule.outcome.replaceAll("_", " "))));
  return h("details", {}, h("summary", {}, "Rules and scores"), h("div", { class: "wide" }, h("table", {}, h("tbody", {}, ...rows))));
}

// Keys ----------------------------------------------------------------------------------------------------------------------------

const help = $("help");
const KEYS = {
  k: keep, d: drop, x: takeBack, u: firstOpen, s: save, t: switchTheme,
  n: () => move(1), ArrowRight: () => move(1), Enter: () => move(1), b: () => move(-1), ArrowLeft: () => move(-1),
  r: () => { if (!$("reason").disabled) $("reason").focus(); }, "?": () => help.showModal(),
};
meta.reasons.forEach((reason, index) => { KEYS[index + 1] = () => because(reason); });

document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input");
  if (event.key === "Escape" && typing) return event.target.blur();
  if (event.key === "Enter" && event.target.matches("button, summary, a")) return;
  if (typing || help.open || event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
});
$("judging").addEventListener("submit", (event) => {
  event.preventDefault();
  $("reason").blur();
  move(1);
});
$("reason").addEventListener("input", (event) => {
  const own = answers.get(records[at]?.id);
  if (own) answer(own.value, event.target.value.trim());
});
$("annotator").addEventListener("input", () => { $("annotator").classList.remove("wanting"); remember(); });
for (const [id, action] of [["keep", keep], ["drop", drop], ["save", save], ["theme", switchTheme], ["back", () => move(-1)], ["next", () => move(1)]]) $(id).addEventListener("click", action);
$("help-button").addEventListener("click", () => help.showModal());
$("reasons").append(...meta.reasons.map((reason, index) => h("button", { type: "button", "data-reason": reason, onclick: () => because(reason) }, h("kbd", {}, String(index + 1)), reason)));

restore();
$("notes").append(...meta.notes.map((note) => h("p", { class: "note" }, note)));
show();
