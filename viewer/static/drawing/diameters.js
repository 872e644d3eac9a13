// Both diameters of each lesion, drawn over the canvas on their slice.

import { THROUGH } from "../canvas/camera.js";
import { label, layerOn, line } from "../measuring/drawn.js";
import { text } from "../sentences.js";

// Where the report tells the lines and the graphics card draws the scan.
export function letShowDiameters(page, scene) {
  const part = page.querySelector(".diameters");
  if (!part) return;
  if (!scene.glass) {
    part.remove();
    return;
  }
  part.hidden = false;
  const lines = new Diameters(scene, JSON.parse(part.dataset.lines));
  const button = part.querySelector("button");
  button.addEventListener("click", () => {
    const isWanted = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isWanted));
    part.querySelector("output").textContent = lines.show(isWanted);
  });
}

class Diameters {
  constructor(scene, lesions) {
    Object.assign(this, { scene, lesions, isShown: false });
    this.layer = layerOn(scene.stage, "diameter-lines");
    scene.hearDrawing(() => this.draw());
  }

  // On a slice without any, go to that of the largest lesion; gives back what to tell.
  show(isWanted) {
    this.isShown = isWanted;
    const isHere = this.lesions.some((lesion) => lesion.slice === this.scene.slice);
    const [first] = this.lesions;
    if (isWanted && !isHere) this.scene.goTo(middle(first.longest), first.slice);
    this.draw();
    return isWanted ? text("script_diameters.shown", { slice: this.scene.slice + 1 }) : "";
  }

  draw() {
    const { slice } = this.scene;
    const here = this.isShown ? this.lesions.filter((lesion) => lesion.slice === slice) : [];
    this.layer.replaceChildren(...here.flatMap((lesion) => this.lines(lesion)));
  }

  lines({ longest, across, words }) {
    const [first, second] = [longest, across].map((ends) => ends.map((end) => this.spot(end)));
    if ([...first, ...second].includes(null)) return [];
    return [line(first), line(second), ...label([...first, ...second], [words])];
  }

  // Where a place in RAS mm is seen, in pixels of the page; null where it is not.
  spot(place) {
    const { glass, axis, camera } = this.scene;
    return camera.spotOf(glass.mm2frac(place, 0, true), THROUGH.indexOf(axis));
  }
}

function middle([start, end]) {
  return start.map((each, axis) => (each + end[axis]) / 2);
}
