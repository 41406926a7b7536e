// Elements from code. Invariant: whatever comes from the server becomes a text node or an attribute that runs nothing; there is no way
// from here to parse a text as HTML, and the page's policy (Trusted Types) forbids it as well.

const SVG = 'http://www.w3.org/2000/svg';

/// An element: attributes by name, `on` for listeners, `class`, and children that are nodes or texts.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    } else if (value === true) {
      node.setAttribute(name, '');
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(name, String(value));
    }
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

/// Puts children in the place of those that are there.
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

/// A 20 x 20 drawing of one path.
export function icon(path) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 20 20');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  const line = document.createElementNS(SVG, 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}

/// A button of a text.
export function button(text, press, attributes = {}) {
  return el('button', { type: 'button', on: { click: press }, ...attributes }, text);
}

/// What stands where there is nothing to show yet.
export function note(title, ...more) {
  return el('div', { class: 'empty' }, el('strong', {}, title), ...more.map((text) => el('p', {}, text)));
}

/// An error, as its server said it.
export function failure(error) {
  return el('div', { class: 'failure', role: 'alert' }, el('strong', {}, 'That did not work'), el('p', {}, error.message));
}

/// A text with its `code` marked, as documentation has it.
export function prose(text) {
  const parts = String(text).split('`');
  return parts.map((part, at) => (at % 2 === 1 && at < parts.length - 1 ? el('code', {}, part) : part));
}

/// A labelled field.
export function field(label, control) {
  return el('label', { class: 'field' }, el('span', {}, label), control);
}

/// A choice of one in a row, as radio buttons. `choices` are `[value, text]`.
export function segments(label, name, choices, chosen, change) {
  return el('fieldset', { class: 'segments' },
    el('legend', { class: 'hidden' }, label),
    choices.map(([value, text]) => el('label', {},
      el('input', { type: 'radio', name, value, checked: value === chosen, on: { change: () => change(value) } }),
      el('span', {}, text))));
}

/// A list to choose from. `choices` are `[value, text]`.
export function select(choices, chosen, change, attributes = {}) {
  const node = el('select', { on: { change: () => change(node.value) }, ...attributes },
    choices.map(([value, text]) => el('option', { value, selected: String(value) === String(chosen) }, text)));
  return node;
}
