// Choosing a customer for a task: type a name or a number, take one of those found.

const WAIT_MS = 200;
const SHOWN = 8;

for (const place of document.querySelectorAll("[data-pick]")) offer(place);

function offer(place) {
  const text = place.querySelector("[data-pick-text]");
  const id = place.querySelector("[data-pick-id]");
  const found = place.querySelector(".pick-found");
  let asked = 0;
  let waits = 0;
  let at = -1;

  const show = (items) => {
    at = -1;
    found.replaceChildren(...items.map((item) => {
      const option = document.createElement("li");
      option.role = "option";
      option.dataset.id = item.customer_id;
      option.dir = "auto";
      option.textContent = item.name;
      if (item.company) option.append(" ", Object.assign(document.createElement("small"), { className: "soft", textContent: item.company }));
      option.dataset.name = item.name;
      return option;
    }));
    found.hidden = !items.length;
    text.setAttribute("aria-expanded", String(!found.hidden));
  };
  const take = (option) => {
    id.value = option.dataset.id;
    text.value = option.dataset.name;
    show([]);
  };
  const look = async () => {
    const mine = ++asked;
    if (!text.value.trim()) return show([]);
    const answer = await fetch(`/api/v1/customers?limit=${SHOWN}&q=${encodeURIComponent(text.value.trim())}`).catch(() => null);
    const items = answer?.ok ? (await answer.json()).items : [];
    if (mine === asked) show(items);
  };

  text.addEventListener("input", () => {
    id.value = "";
    clearTimeout(waits);
    waits = setTimeout(look, WAIT_MS);
  });
  text.addEventListener("keydown", (event) => {
    const options = [...found.children];
    if (event.key === "Escape") show([]);
    else if (event.key === "Enter" && at >= 0 && options.length) { event.preventDefault(); take(options[at]); }
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && options.length) {
      event.preventDefault();
      at = (at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length;
      options.forEach((option, place) => option.setAttribute("aria-selected", String(place === at)));
    }
  });
  found.addEventListener("mousedown", (event) => {
    event.preventDefault(); // the text keeps the cursor
    const option = event.target.closest("[data-id]");
    if (option) take(option);
  });
  // What is no customer is not sent as one; better to see it than to think that it was kept.
  text.addEventListener("blur", () => { if (!id.value) text.value = ""; show([]); });
}
