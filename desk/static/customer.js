// The form of a customer: lines of numbers come and go, and one click saves once.

const lines = document.querySelector(".number-lines");
const template = document.getElementById("number-line");

if (template) {
  const add = document.getElementById("add-line");
  add.hidden = false;
  add.addEventListener("click", () => addLine().querySelector("[name^=number]").focus());
  for (const button of lines.querySelectorAll("[data-remove-line]")) button.hidden = false;
  lines.addEventListener("click", (event) => {
    const line = event.target.closest("[data-remove-line]")?.closest("li");
    if (line) remove(line);
  });
}

function addLine() {
  const line = template.content.firstElementChild.cloneNode(true);
  const place = lines.children.length; // a removed line stays, empty, so places are never used twice
  for (const input of line.querySelectorAll("[name]")) input.name += place;
  line.querySelector("[data-remove-line]").hidden = false;
  lines.append(line);
  return line;
}

function remove(line) {
  for (const input of line.querySelectorAll("input:not([type=hidden])")) input.value = "";
  line.hidden = true;
  const next = [...lines.children].find((each) => !each.hidden) ?? addLine();
  next.querySelector("[name^=number]").focus();
}

document.querySelector("form.change").addEventListener("submit", (event) => {
  // Not disabled: a page that comes back from the browser's memory must be usable.
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
  setTimeout(() => delete event.target.dataset.sent, 10_000);
});

const first = document.querySelector("[aria-invalid=true]");
if (first) first.focus();
