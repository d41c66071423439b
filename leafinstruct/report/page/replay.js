// A document's trial under other bounds, from the scores that the build computed.
//
// The same order as leafinstruct/filter/verdict.py and passes.py; tests/report/test_inspect_browser.py compares the two on a whole corpus. A cell is a
// number, or the name of a state (not_scored, failed: no value), or null: never computed, because the document was dropped before.

"use strict";

const KEPT = "kept", DROPPED = "dropped", UNKNOWN = "unknown";
const PASSES = [
  { own: ["text"], image: [] },
  { own: [], image: ["picture"] },
  { own: [], image: ["alignment"] },
  { own: ["alignment", "coherence"], image: [] },
  { own: ["duplicate"], image: ["duplicate"] },
  { own: ["judge", "rules"], image: [] },
];
const FROM_PICTURES = 3; // passes from here on depend on which pictures were still there
const AGGREGATES = {
  "alignment.mean": (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  "alignment.min": (values) => Math.min(...values),
  "alignment.share": (values, above) => values.filter((value) => value >= above).length / values.length,
};

// Whether a rule speaks against a cell. Bounds are inclusive; what has no value fails.
function fails(rule, cell) {
  if (typeof cell !== "number") return true;
  return (rule.min !== null && cell < rule.min) || (rule.max !== null && cell > rule.max);
}

// Rules as the passes take them. meta: scores (own, image: lists of {name}), minima; rules without a bound take no part.
function plan(meta, rules) {
  const column = { own: new Map(meta.scores.own.map((score, at) => [score.name, at])), image: new Map(meta.scores.image.map((score, at) => [score.name, at])) };
  const decoded = { score: "picture.decoded", level: "image", min: 1, max: null, drop: "image" };
  const placed = [decoded, ...rules.filter((rule) => rule.min !== null || rule.max !== null)].map((rule) => ({
    ...rule, column: column[rule.level].get(rule.score), family: rule.score.split(".")[0],
  }));
  const first = placed.filter((rule) => rule.score === decoded.score);
  const ordered = [...first, ...placed.filter((rule) => rule.score !== decoded.score)];
  return {
    minima: meta.minima,
    above: meta.share_above,
    ownOfPictures: column.image.get("alignment.own"),
    passes: PASSES.map((pass) => ({
      rules: ordered.filter((rule) => pass[rule.level].includes(rule.family)),
      columns: {
        own: meta.scores.own.flatMap((score, at) => (pass.own.includes(score.name.split(".")[0]) ? [at] : [])),
        image: meta.scores.image.flatMap((score, at) => (pass.image.includes(score.name.split(".")[0]) ? [at] : [])),
      },
    })),
  };
}

// The fate of a record: kept, dropped (why: the rule), or unknown. record.stood: the pictures before each pass under the build's own bounds.
function replay(record, planned) {
  let standing = record.caption_words.map((_, index) => index);
  const stood = [];
  for (const [number, pass] of planned.passes.entries()) {
    stood.push(standing.join());
    const moved = number >= FROM_PICTURES && record.stood !== undefined && record.stood[number] !== stood[number];
    if (failed(record, pass, standing)) return { fate: DROPPED, why: "failed", stood };
    let why = null, unknown = false;
    for (const rule of pass.rules) {
      if (rule.level === "own") {
        const cell = moved ? again(record, rule, standing, planned) : record.scores[rule.column];
        if (cell === null) unknown = true;
        else if (fails(rule, cell)) why ??= rule.score;
        continue;
      }
      for (const index of [...standing]) {
        const cell = moved ? null : (record.picture_scores[rule.column] ?? [])[index] ?? null;
        if (cell === null) unknown = true;
        else if (fails(rule, cell)) {
          if (rule.drop === "document") why ??= rule.score;
          else standing = standing.filter((other) => other !== index);
        }
      }
    }
    why ??= short(record, standing, planned.minima);
    if (why !== null) return { fate: DROPPED, why, stood };
    if (unknown) return { fate: UNKNOWN, why: null, stood };
  }
  return { fate: KEPT, why: null, stood };
}

// A failure is no verdict, but it ends a trial whatever the rules say.
function failed(record, pass, standing) {
  return pass.columns.own.some((at) => record.scores[at] === "failed")
    || pass.columns.image.some((at) => standing.some((index) => (record.picture_scores[at] ?? [])[index] === "failed"));
}

// min_images or min_words, when fewer are left than it asks for.
function short(record, standing, minima) {
  if (standing.length < minima.images) return "min_images";
  const left = [...record.words];
  record.caption_words.forEach((captions, index) => {
    if (standing.includes(index)) return;
    left[0] -= captions[0];
    left[1] -= captions[1];
  });
  return left[0] + Math.trunc(left[1] / 1.5) < minima.words ? "min_words" : null;
}

// A score of the document over other pictures than the build's: null where it cannot be told from here.
function again(record, rule, standing, planned) {
  const aggregate = AGGREGATES[rule.score];
  if (aggregate === undefined) return null;
  const cells = standing.map((index) => (record.picture_scores[planned.ownOfPictures] ?? [])[index] ?? null);
  if (cells.includes(null)) return null;
  const values = cells.filter((cell) => typeof cell === "number");
  return values.length ? Math.round(aggregate(values, planned.above) * 1e4) / 1e4 : "not_scored";
}
