// What every page shares: the data in its script elements, its images, and elements made without parsing markup.
//
// Text of records enters the document only as text nodes, made by `h`; nothing here parses markup.

"use strict";

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const number = (value) => value.toLocaleString("en-US");
const shorten = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "hidden") element.hidden = value;
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const meta = read("meta");
const records = read("data");
const groups = new Map();

// The data URL of an image; null if the page does not contain it. A group of images is read when one of them is needed.
function pixels(index) {
  const group = Math.floor(index / meta.images.group);
  if (!groups.has(group)) groups.set(group, read(`images-${group}`));
  const data = groups.get(group)[index % meta.images.group];
  return data ? `data:image/webp;base64,${data}` : null;
}

// A drop as text. A drop is [rule, position or null, value, threshold, state, detail].
function why([rule, at, value, threshold, state, detail]) {
  const place = at === null ? rule : `${rule} of the image at ${at}`;
  const more = detail ? ` (${detail})` : "";
  if (value === null || threshold === null) return `${place}: ${state === "ok" ? detail || "no value" : state + more}`;
  return `${place} is ${value}, ${value < threshold ? "below" : "above"} ${threshold}${more}`;
}

function textOf(part, kind) {
  const tag = { heading: "h4", code: "pre", table: "pre" }[kind] ?? "p";
  const more = part.cut ? h("span", { class: "quiet" }, ` … ${number(part.cut)} more characters`) : null;
  return h(tag, { class: kind, dir: "auto" }, part.role ? h("b", {}, `${part.role}: `) : null, part.text, more);
}

// The URL if it may be a link: http or https, nothing that a browser would run.
function safe(url) {
  try {
    return ["http:", "https:"].includes(new URL(url).protocol) ? url : null;
  } catch {
    return null;
  }
}

// Dark or light, whatever the system prefers.
function switchTheme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "light" : "dark";
}
