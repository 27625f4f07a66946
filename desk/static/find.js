// Finding a customer as one types, in the bar at the top: the WAI-ARIA pattern of a combobox with a list.
// Without an answer, or without this script, the form itself leads to the whole list.
import { counted, say } from "./words.js";

const AFTER_MS = 150;

export function offerFinding(form) {
  const input = form.querySelector("input[type=search]");
  const list = form.querySelector("[role=listbox]");
  const hint = form.querySelector(".find-hint");
  const said = form.querySelector("[role=status]");
  let timer, asking, active = -1, shown = "";

  function close() {
    clearTimeout(timer);
    asking?.abort();
    list.parentElement.hidden = true;
    input.setAttribute("aria-expanded", "false");
    point(-1);
  }

  function open() {
    list.parentElement.hidden = false;
    input.setAttribute("aria-expanded", String(list.childElementCount > 0));
  }

  function point(at) {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = at;
    const option = list.children[at];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
  }

  function show(found, typed) {
    list.replaceChildren(...found.items.map(option));
    active = -1;
    point(-1);
    shown = typed;
    const count = found.items.length;
    if (!count) hint.textContent = said.textContent = say("Nobody found for “{typed}”.", { typed });
    else if (found.nearly) {
      hint.textContent = say("Nobody is called “{typed}”; these nearly are.", { typed });
      said.textContent = counted("{n} customer, nearly", "{n} customers, nearly", count);
    } else {
      hint.textContent = say("Enter shows all of them.");
      said.textContent = counted("{n} customer", "{n} customers", count);
    }
    open();
  }

  async function ask() {
    const typed = input.value.trim();
    asking?.abort();
    if (!typed) return close();
    if (typed === shown && list.childElementCount) return open();
    const mine = (asking = new AbortController());
    try {
      const answer = await fetch(`${form.dataset.suggest}?q=${encodeURIComponent(typed)}`, { signal: mine.signal });
      if (!answer.ok) return close();
      const found = await answer.json();
      if (!mine.signal.aborted) show(found, typed);
    } catch {
      // one that came too late, or the desk is away: Enter still leads to the list
    }
  }

  function go(at) {
    location.assign(`/customers/${list.children[at].dataset.customer}`);
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    point(-1);
    if (!input.value.trim()) return close();
    timer = setTimeout(ask, AFTER_MS);
  });
  input.addEventListener("keydown", (event) => {
    const count = list.childElementCount, isOpen = !list.parentElement.hidden;
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen) ask();
      else if (count) point(event.key === "ArrowDown" ? (active + 1) % count : (active <= 0 ? count : active) - 1);
    } else if (event.key === "Enter" && isOpen && active >= 0) {
      event.preventDefault();
      go(active);
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault(); // what was typed stays; a second time the browser empties the field
      event.stopPropagation();
      close();
    }
  });
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) go([...list.children].indexOf(option));
  });
  form.addEventListener("focusout", (event) => form.contains(event.relatedTarget) || close());
  form.addEventListener("submit", close);
}

function option(one, at) {
  const made = element("li", "find-option");
  made.id = `find-${at}`;
  made.dataset.customer = one.customer_id;
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", "false");
  const face = one.photo ? element("img", "face") : element("span", `face hue-${one.hue}`, one.initials);
  if (one.photo) Object.assign(face, { src: one.photo, alt: "" });
  else face.setAttribute("aria-hidden", "true");
  const name = element("strong", "", one.name), about = element("small", "soft");
  name.dir = "auto";
  if (one.company) about.append(element("bdi", "", one.company));
  if (one.company && one.number) about.append(" · ");
  if (one.number) about.append(element("bdi", "number", one.number));
  const main = element("span", "cell-main");
  main.append(name, about);
  made.append(face, main);
  return made;
}

function element(kind, classes, text = "") {
  const made = document.createElement(kind);
  if (classes) made.className = classes;
  made.textContent = text;
  return made;
}
