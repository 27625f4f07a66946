// "Somebody we know", on the card of a number that nobody has: find the customer as you type, and the number is theirs;
// or enter a new one by the name alone. The card is not changed here: it comes anew by the stream, to all who have it.
import { say } from "./words.js";

const PAUSE_MS = 120;
const SHOWN = 7;

export function askWho(document) {
  const dialog = document.getElementById("who");
  if (!dialog) return;
  const who = new Who(dialog);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-who]");
    if (button) who.open(button.dataset);
  });
}

class Who {
  constructor(dialog) {
    this.dialog = dialog;
    this.input = dialog.querySelector("input");
    this.list = dialog.querySelector("ul");
    this.said = dialog.querySelector(".choice-said");
    this.input.addEventListener("input", () => this.#later());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("click", (event) => this.#choose(event.target.closest("li")));
    this.list.addEventListener("pointermove", (event) => this.#mark(event.target.closest("li")));
  }

  open({ who: number, shown, name }) {
    this.number = number;
    this.busy = false;
    this.dialog.querySelector("bdi").textContent = shown;
    this.input.value = name ?? "";
    this.#tell("");
    this.list.replaceChildren();
    this.dialog.showModal();
    this.input.focus();
    this.input.select();
    this.#search();
  }

  #later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#search(), PAUSE_MS);
  }

  async #search() {
    clearTimeout(this.timer);
    const typed = this.input.value.trim();
    this.search?.abort();
    this.search = new AbortController();
    const { signal } = this.search;
    let found = [];
    if (typed) {
      const query = new URLSearchParams({ q: typed, limit: SHOWN });
      const answer = await fetch(`/api/v1/customers?${query}`, { signal }).catch(() => null);
      found = answer?.ok ? (await answer.json().catch(() => ({ items: [] }))).items : [];
      if (signal.aborted) return;
      if (!answer?.ok) this.#tell(say("Customers cannot be searched just now; try again in a moment."));
    }
    this.shown = typed;
    this.list.replaceChildren(...found.map((each) => this.#option(each)), ...(typed ? [this.#newOne(typed)] : []));
    [...this.list.children].forEach((option, at) => { option.id = `who-${at}`; });
    this.#mark(this.list.firstElementChild);
  }

  #option(customer) {
    const option = this.#line(customer.name, customer.company, "person");
    option.customer = customer;
    const number = option.appendChild(document.createElement("bdi"));
    number.className = "number";
    number.textContent = customer.numbers[0]?.number ?? "";
    return option;
  }

  #newOne(typed) {
    const option = this.#line(say("New customer “{typed}”", { typed }), "", "person-plus");
    option.name = typed;
    return option;
  }

  #line(text, under, icon) {
    const option = document.createElement("li");
    option.role = "option";
    const sign = option.appendChild(document.createElement("i"));
    sign.className = `bi bi-${icon}`;
    sign.ariaHidden = "true";
    const main = option.appendChild(document.createElement("span"));
    const name = main.appendChild(document.createElement("strong"));
    name.dir = "auto";
    name.textContent = text;
    if (under) main.appendChild(document.createElement("small")).textContent = under;
    return option;
  }

  #mark(option) {
    if (!option) return this.input.removeAttribute("aria-activedescendant");
    for (const each of this.list.children) each.ariaSelected = String(each === option);
    this.input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  async #key(event) {
    const marked = this.list.querySelector("[aria-selected=true]");
    const next = { ArrowDown: marked?.nextElementSibling, ArrowUp: marked?.previousElementSibling }[event.key];
    if (next) this.#mark(next);
    if (event.key.startsWith("Arrow") && !event.key.match(/Left|Right/)) event.preventDefault();
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (this.shown !== this.input.value.trim()) await this.#search(); // what is chosen is what was typed
    this.#choose(this.list.querySelector("[aria-selected=true]"));
  }

  async #choose(option) {
    if (!option || this.busy) return;
    this.busy = true;
    const answer = await (option.customer ? this.#give(option.customer) : this.#enter(option.name)).catch(() => null);
    this.busy = false;
    if (answer?.ok) return this.dialog.close();
    const problem = await answer?.json().catch(() => null);
    this.#tell(problem?.detail ?? say("That did not work; try again in a moment."));
  }

  #enter(name) {
    return post("/api/v1/customers", { name, numbers: [{ number: this.number }] });
  }

  async #give({ customer_id: id, version }) {
    const give = (tag) => post(`/api/v1/customers/${id}/numbers`, { number: this.number }, { "If-Match": tag });
    const answer = await give(`"${version}"`);
    return answer.status === 412 ? give(answer.headers.get("ETag")) : answer; // a number more overwrites nothing
  }

  #tell(text) {
    this.said.textContent = text;
    this.said.hidden = !text;
  }
}

function post(path, body, headers = {}) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}
