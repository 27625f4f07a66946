// Whether there is a bar of tabs on this page, before anything is drawn, so that nothing moves when it is filled in.
(() => {
  const bar = document.getElementById("tabs");
  let some = Boolean(bar.dataset.tab);
  try {
    some ||= JSON.parse(localStorage.getItem(`ringcard tabs ${document.body.dataset.me}`) ?? "[]").length > 0;
  } catch {
    // what cannot be read is no tab
  }
  bar.hidden = !some;
})();
