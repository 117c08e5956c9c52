// What the tests ask of a page. It is evaluated over DevTools, which works where the page
// itself may run no script.
const tidy = text => (text ?? "").replace(/\s+/g, " ").trim();
const shown = el => el.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && el.getClientRects().length > 0;
const nameOf = el => {
  const by = el.getAttribute("aria-labelledby");
  if (by) return tidy(by.split(/\s+/).map(id => document.getElementById(id)?.innerText).join(" "));
  return tidy(el.getAttribute("aria-label") || el.innerText || el.value || el.title);
};
const matches = (text, wanted) => text === wanted || wanted.endsWith("…") && text.startsWith(wanted.slice(0, -1));
// place is the smallest part of the page that shows the text: a row, a card, a form.
const place = text => {
  if (!text) return document;
  const parts = [...document.querySelectorAll("tr, li, dd, fieldset, form, details, section, article, .card, table, dialog, main")].filter(el => shown(el) && tidy(el.innerText).includes(text));
  return parts.filter(el => !parts.some(other => other !== el && el.contains(other)))[0];
};
const only = found => {
  const showing = found.filter(shown);
  return showing.find(el => !el.disabled) ?? showing[0] ?? null;
};
const buttons = "button, a[href], input[type=submit], summary, [role=button], [role=option]";
const named = (root, name) => only([...(root?.querySelectorAll(buttons) ?? [])].filter(el => matches(nameOf(el), name)));
// button is a button or link of the content, else one around it.
const button = (name, within) => within ? named(place(within), name) : named(document.querySelector("main"), name) ?? named(document, name);
// section is a link of the navigation.
const section = name => named(document.querySelector("header nav"), name);
const field = (name, within) => {
  const root = place(within);
  if (!root) return null;
  const inputs = [...root.querySelectorAll("input:not([type=hidden]), select, textarea")];
  const labelled = el => [...(el.labels ?? [])].map(l => tidy(l.innerText)).concat(tidy(el.getAttribute("aria-label")));
  return only(inputs.filter(el => labelled(el).some(text => matches(text, name)))) ?? only(inputs.filter(el => labelled(el).some(text => text.startsWith(name))));
};
const middle = el => {
  el.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
  const box = el.getClientRects()[0];
  const x = box.left + box.width / 2, y = box.top + box.height / 2;
  const top = document.elementFromPoint(x, y);
  const free = top && (el.contains(top) || top.contains(el) || [...(el.labels ?? [])].some(l => l.contains(top)));
  return { x, y, free: !!free, disabled: !!el.disabled };
};
