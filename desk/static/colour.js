// Light or dark, before anything is drawn: Bootstrap wants to be told, and where the person chose neither, only the
// reader's system knows. The server has written a choice into the page already.
(() => {
  const page = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => { page.dataset.bsTheme = page.dataset.mode || (dark.matches ? "dark" : "light"); };
  apply();
  dark.addEventListener("change", apply);
})();
