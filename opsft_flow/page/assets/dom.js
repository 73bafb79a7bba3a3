// Elements. Text becomes text nodes and never markup: what a model has written is data.

const SVG = "http://www.w3.org/2000/svg";

function build(created, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) created.addEventListener(name.slice(2), value);
    else if (name.startsWith("aria-")) created.setAttribute(name, String(value));
    else if (value === true) created.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) created.setAttribute(name, value);
  }
  appendAll(created, children);
  return created;
}

// One by one: there may be more than a call takes arguments.
function appendAll(parent, children) {
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) parent.append(child);
  }
}

function element(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

function shape(tag, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

const find = (selector) => document.querySelector(selector);

function fill(selector, ...children) {
  const filled = find(selector);
  filled.replaceChildren();
  appendAll(filled, children);
}

// A small square in the colour of a policy. A style attribute would be refused by the security policy of the page.
function swatch(color) {
  const square = element("span", { class: "swatch", "aria-hidden": "true" });
  square.style.background = color;
  return square;
}
