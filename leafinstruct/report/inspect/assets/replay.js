// Replay the decision on a document under other bounds, from the scores of the build.
//
// The same order as leafinstruct/filter/decision.py and passes.py; tests/report/test_inspect_browser.py compares the two on a whole corpus. A cell is a
// number, or the name of a state (not_scored, failed: no value; not_applicable), or null: never computed, because the document was dropped earlier.

"use strict";

const UNITS = 6; // units per word, as in leafinstruct/records/text/words.py
const KEPT = "kept", DROPPED = "dropped", UNKNOWN = "unknown";
const PASSES = [
  { own: ["document", "text"], image: [] },
  { own: [], image: ["image"] },
  { own: [], image: ["extension"] },
  { own: ["extension"], image: [] },
  { own: [], image: ["classifier"] },
  { own: ["text_classifier", "perplexity"], image: [] },
  { own: [], image: ["alignment"] },
  { own: ["alignment", "coherence"], image: [] },
  { own: ["duplicate", "contamination"], image: ["duplicate"] },
  { own: ["reference"], image: [] },
  { own: [], image: ["judge"] },
  { own: ["judge", "rules"], image: [] },
  { own: ["reference"], image: [] }, // counted again after the judge drops images
];
const OURS = new Set(PASSES.flatMap((pass) => [...pass.own, ...pass.image]));
const familyOf = (name) => (OURS.has(name.split(".")[0]) ? name.split(".")[0] : "extension"); // extension: of an installed package
const FROM_TEXTS = 6; // from this pass on, scores depend on which texts were dropped with an image
const FROM_IMAGES = 7; // from this pass on, scores depend on which images are kept
const BEFORE_JUDGE = 9; // the first count of references. A record has the last one
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const least = (values) => Math.min(...values);
const AGGREGATES = {
  "alignment.mean": mean,
  "alignment.min": least,
  "judge.text_image_relevance": mean,
  "judge.least_image_relevance": least,
  "alignment.share": (values, above) => values.filter((value) => value >= above).length / values.length,
};

// Whether a cell fails a rule. Bounds are inclusive. A cell without a value fails, unless the score is not applicable to the document.
function fails(rule, cell) {
  if (cell === "not_applicable") return false;
  if (typeof cell !== "number") return true;
  return (rule.min !== null && cell < rule.min) || (rule.max !== null && cell > rule.max);
}

// Whether images and dropped texts are those that the build had before a pass.
function matches(record, now, pass) {
  const built = record.before?.[pass];
  return built !== undefined && built[0] === now[0] && built[1] === now[1];
}

// Whether every value that passes the bounds of `other` passes those of a rule.
function isAsLoose(rule, other) {
  return (rule.min === null || (other.min !== null && rule.min <= other.min)) && (rule.max === null || (other.max !== null && rule.max >= other.max));
}

// The rules by pass. meta: scores (own, image: lists of {name}), minima. Rules without a bound are ignored.
function plan(meta, rules) {
  const column = { own: new Map(meta.scores.own.map((score, at) => [score.name, at])), image: new Map(meta.scores.image.map((score, at) => [score.name, at])) };
  const decoded = { score: "image.decoded", level: "image", min: 1, max: null, drop: "image" };
  const placed = [decoded, ...rules.filter((rule) => rule.min !== null || rule.max !== null)].map((rule) => ({
    ...rule, column: column[rule.level].get(rule.score), family: familyOf(rule.score),
  }));
  const first = placed.filter((rule) => rule.score === decoded.score);
  const ordered = [...first, ...placed.filter((rule) => rule.score !== decoded.score)];
  return {
    minima: meta.minima,
    above: meta.share_above,
    ofImages: { alignment: column.image.get("alignment.own"), judge: column.image.get("judge.image_relevance") },
    passes: PASSES.map((pass) => ({
      rules: ordered.filter((rule) => pass[rule.level].includes(rule.family)),
      columns: {
        own: meta.scores.own.flatMap((score, at) => (pass.own.includes(familyOf(score.name)) ? [at] : [])),
        image: meta.scores.image.flatMap((score, at) => (pass.image.includes(familyOf(score.name)) ? [at] : [])),
      },
    })),
  };
}

// The fate of a record: kept, dropped (why: the rule), or unknown. before: [kept images, dropped texts] before each pass; record.before: the same with
// the bounds of the build.
function replay(record, planned) {
  const barred = new Set(record.drops.filter(([rule, at]) => rule === "license" && at !== null).map(([, at]) => record.order.get(at)));
  let kept = record.caption_words.map((_, index) => index).filter((index) => !barred.has(index));
  const unbounded = record.drops.find(([rule, at]) => at === null && ["languages", "personal_data", "license"].includes(rule));
  if (unbounded) return { fate: DROPPED, why: unbounded[0], before: [] }; // these rules have no bound
  const before = [], texts = new Texts(record.steps);
  const recounted = record.drops.some(([rule, at]) => at !== null && rule.startsWith("judge.")); // its judge dropped an image
  for (const [number, pass] of planned.passes.entries()) {
    before.push([kept.join(), texts.dropped()]);
    const changed = (at) => {
      const built = record.before?.[at]; // undefined if the build did not reach this pass; then there are no cells either
      return record.before !== undefined && ((at >= FROM_IMAGES && built?.[0] !== before[at][0]) || (at >= FROM_TEXTS && built?.[1] !== before[at][1]));
    };
    const moved = changed(number);
    if (failed(record, pass, kept)) return { fate: DROPPED, why: "failed", before };
    let why = null, unknown = false;
    for (const rule of pass.rules) {
      if (record.ignored?.includes(rule.family)) continue; // its language is unknown to the model
      if (recounted && rule.family === "reference" && (number === BEFORE_JUDGE ? !moved : matches(record, before[number], BEFORE_JUDGE))) {
        if (!isAsLoose(rule, rule.original ?? rule)) unknown = true; // the first count is only known to have passed the bounds of the build
        continue;
      }
      if (rule.level === "own") {
        const cell = own(record, rule, kept, planned, moved, rule.family === "judge" ? changed(number - 1) : moved);
        if (cell === null) unknown = true;
        else if (fails(rule, cell)) why ??= rule.score;
        continue;
      }
      for (const index of [...kept]) {
        const cell = moved ? null : (record.image_scores[rule.column] ?? [])[index] ?? null;
        if (cell === null) unknown = true;
        else if (fails(rule, cell)) {
          if (rule.drop === "document") why ??= rule.score;
          else {
            kept = kept.filter((other) => other !== index);
            texts.lose(index, rule.drop === "step");
            if (rule.drop === "step" && record.realigned && number >= FROM_TEXTS) unknown = true; // the owners in this page are those before alignment
          }
        }
      }
    }
    why ??= short(record, kept, texts, planned.minima);
    if (why !== null) return { fate: DROPPED, why, before };
    if (unknown) return { fate: UNKNOWN, why: null, before };
  }
  return { fate: KEPT, why: null, before };
}

// The texts of a record that are dropped with images, as in leafinstruct/filter/steps.py. steps: entries of layout.py, one per segment; undefined if no
// image has an owner, since then only captions are dropped.
class Texts {
  constructor(steps) {
    this.steps = steps ?? [];
    this.images = this.steps.flatMap((step, at) => (step[0] === "image" ? [at] : []));
    this.gone = new Set();
    this.items = new Map(); // list -> words of the item that it lost
  }

  present() { return this.steps.map((_, at) => at).filter((at) => !this.gone.has(at)); }

  // Drop image number `index` with its captions; withStep: also with the text that owns it, and with headings that are then followed by nothing.
  lose(index, withStep) {
    if (!this.steps.length) return;
    const image = this.images[index], before = this.present(), owner = this.steps[image][1];
    this.gone.add(image);
    for (let next = before.indexOf(image) + 1; next < before.length && this.steps[before[next]][0] === "caption"; next += 1) this.gone.add(before[next]);
    if (!withStep || owner === null) return;
    if (!this.gone.has(owner)) {
      if (this.images.some((other) => !this.gone.has(other) && this.steps[other][1] === owner)) return;
      const [kind, , ...items] = this.steps[owner];
      if (items.length && !this.items.has(owner)) this.items.set(owner, owner < image ? items[0] : items[1]);
      else if (kind !== "heading") this.gone.add(owner);
    }
    this.dropIdleHeadings(before);
  }

  dropIdleHeadings(before) {
    const isHeading = (at) => this.steps[at][0] === "heading";
    const follows = new Map(before.slice(0, -1).map((at, place) => [at, isHeading(before[place + 1])]));
    const after = this.present();
    let next = null;
    for (const at of [...after].reverse()) {
      const idle = isHeading(at) && follows.has(at) && (next === null || (at !== after[0] && isHeading(next) && !follows.get(at)));
      if (idle) this.gone.add(at);
      else next = at;
    }
  }

  // Words of each dropped text, or dropped item of a list.
  lost() { return [...[...this.gone].filter((at) => this.steps[at][0] !== "image").map((at) => this.steps[at][1]), ...this.items.values()]; }

  // The dropped texts other than captions, as one string.
  dropped() { return [...[...this.gone].filter((at) => !["image", "caption"].includes(this.steps[at][0])), ...[...this.items.keys()].map((at) => `item ${at}`)].sort().join(); }
}

// Whether a score failed to compute: this drops a document whatever the rules are.
function failed(record, pass, kept) {
  return pass.columns.own.some((at) => record.scores[at] === "failed")
    || pass.columns.image.some((at) => kept.some((index) => (record.image_scores[at] ?? [])[index] === "failed"));
}

// min_images or min_words, if fewer are left than required; else null.
function short(record, kept, texts, minima) {
  if (kept.length < minima.images) return "min_images";
  const lost = record.steps ? texts.lost() : record.caption_words.filter((_, index) => !kept.includes(index));
  const left = lost.reduce((words, own) => words - own, record.words);
  return Math.floor(left / UNITS) < minima.words ? "min_words" : null;
}

// A score of the document. moved: whether its images are others than in the build; asked: whether they were others when it was computed. The judge is
// asked before its rules drop images, so only its means change with them.
function own(record, rule, kept, planned, moved, asked) {
  if (!moved || (!asked && AGGREGATES[rule.score] === undefined)) return record.scores[rule.column];
  return rule.family === "judge" && asked ? null : again(record, rule, kept, planned);
}

// A score of the document for other images than in the build; null if it cannot be computed here.
function again(record, rule, kept, planned) {
  const aggregate = AGGREGATES[rule.score];
  if (aggregate === undefined) return null;
  const cells = kept.map((index) => (record.image_scores[planned.ofImages[rule.family]] ?? [])[index] ?? null);
  if (cells.includes(null)) return null;
  const values = cells.filter((cell) => typeof cell === "number");
  if (!values.length) return cells.find((cell) => cell !== "not_applicable") ?? (rule.family === "judge" ? "not_applicable" : "not_scored");
  return Math.round(aggregate(values, planned.above) * 1e4) / 1e4;
}
