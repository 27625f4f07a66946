// The square of a picture that is kept: moved and made larger in its frame; the server cuts it by the three numbers.

const file = document.getElementById("field-picture");
const box = document.querySelector(".crop");

if (file && box && window.createImageBitmap) {
  const canvas = box.querySelector("canvas");
  const pen = canvas.getContext("2d");
  const given = box.querySelector("[name=crop]");
  const [zoom, across, down] = ["zoom", "x", "y"].map((name) => document.getElementById(`crop-${name}`));
  const closest = 6; // times
  let picture = null;
  let asked = 0;
  let grip = null;

  file.addEventListener("change", show);
  for (const slider of [zoom, across, down]) slider.addEventListener("input", draw);
  canvas.addEventListener("pointerdown", (event) => {
    if (!picture || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    canvas.classList.add("is-moving");
    grip = { x: event.clientX, y: event.clientY, ...place() };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grip) return;
    const perPixel = grip.side / canvas.getBoundingClientRect().width;
    moveTo(grip.left - (event.clientX - grip.x) * perPixel, grip.top - (event.clientY - grip.y) * perPixel, grip.side);
    draw();
  });
  for (const over of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(over, () => {
      grip = null;
      canvas.classList.remove("is-moving");
    });
  }
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!picture || !event.deltaY) return;
      event.preventDefault();
      zoom.value = Number(zoom.value) - Math.sign(event.deltaY) * 5;
      draw();
    },
    { passive: false },
  );
  if (file.files.length) show(); // of a page that comes back from the browser's memory

  async function show() {
    const mine = ++asked;
    const chosen = file.files[0];
    const made = chosen && (await createImageBitmap(chosen).catch(() => null)); // what is no picture the server tells
    if (mine !== asked) return made?.close();
    picture?.close();
    picture = made || null;
    box.hidden = !picture;
    document.querySelector(".crop-without").hidden = Boolean(picture);
    given.value = "";
    [zoom.value, across.value, down.value] = [0, 50, 50];
    if (picture) draw();
  }

  /** The square in pixels of the picture. */
  function place() {
    const side = Math.min(picture.width, picture.height) / closest ** (zoom.value / 100);
    const [left, top] = [
      [picture.width, across],
      [picture.height, down],
    ].map(([length, slider]) => ((length - side) * slider.value) / 100);
    return { left, top, side };
  }

  function moveTo(left, top, side) {
    for (const [length, slider, at] of [
      [picture.width, across, left],
      [picture.height, down, top],
    ]) {
      if (length > side) slider.value = (at / (length - side)) * 100;
    }
  }

  function draw() {
    const { left, top, side } = place();
    pen.fillStyle = "#fff"; // what a transparent picture is kept on
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(picture, left, top, side, side, 0, 0, canvas.width, canvas.height);
    const { width, height } = picture;
    given.value = [left / width, top / height, side / Math.min(width, height)].map((part) => part.toFixed(6)).join(",");
  }
}
