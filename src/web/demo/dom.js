// Elements without HTML text: what people have typed or are called is only ever set as text.

export const $ = (id) => document.getElementById(id);

// properties: of the element; `data-…`, `aria-…` and `role` as attributes.
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (/^(data-|aria-|role$)/.test(key)) made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

export function fromTemplate(id) {
  return $(id).content.firstElementChild.cloneNode(true);
}

// A text that has not changed is not written: a live region would be read again.
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export function clockText(ms) {
  const whole = Math.ceil(Math.max(0, ms) / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
