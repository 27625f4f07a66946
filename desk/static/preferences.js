// The page of preferences: a design is seen at once, permission is asked for by a click and never otherwise.
import { chime } from "./notices.js";
import { say } from "./words.js";

const page = document.documentElement;
const form = document.querySelector(".preferences");
const allow = form.querySelector("[data-allow]");

form.addEventListener("change", ({ target }) => {
  if (target.name === "design") document.getElementById("design").href = target.dataset.href;
  if (target.name === "mode") {
    page.dataset.mode = target.value;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    page.dataset.bsTheme = target.value || (dark ? "dark" : "light");
  }
});

function showPermission() {
  const permission = window.isSecureContext && "Notification" in window ? Notification.permission : "none";
  form.querySelector("[data-permission]").textContent = {
    granted: say("Allowed in this browser."),
    denied: say("This browser was told not to show any; its settings for this page, beside the address, change that."),
    default: say("This browser has not been allowed to show it yet."),
    none: say("This browser shows it only when the desk is reached by https."),
  }[permission];
  allow.hidden = permission !== "default";
}

allow.addEventListener("click", async () => {
  await Notification.requestPermission();
  showPermission();
});
form.querySelector("[data-hear]").addEventListener("click", () => {
  const volume = Number(form.elements.volume.value);
  if (volume) chime(volume);
});
showPermission();
