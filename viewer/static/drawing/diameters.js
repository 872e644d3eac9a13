// Both diameters of each lesion, drawn over the canvas on their slice.

import { text } from "../sentences.js";

const SVG = "http://www.w3.org/2000/svg";
const CAP = 5; // pixels of the screen, to each side of a line's end

// Where the report tells the lines and the graphics card draws the scan.
export function letShowDiameters(page, figure, scene) {
  const part = page.querySelector(".diameters");
  if (!part) return;
  if (!scene.glass) {
    part.remove();
    return;
  }
  part.hidden = false;
  const lines = new Diameters(figure, scene, JSON.parse(part.dataset.lines));
  const button = part.querySelector("button");
  button.addEventListener("click", () => {
    const isWanted = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isWanted));
    part.querySelector("output").textContent = lines.show(isWanted);
  });
}

class Diameters {
  constructor(figure, scene, lesions) {
    Object.assign(this, { scene, lesions, isShown: false });
    this.layer = document.createElementNS(SVG, "svg");
    this.layer.classList.add("diameter-lines");
    this.layer.setAttribute("aria-hidden", "true"); // the lengths stand in the table
    figure.querySelector(".stage").append(this.layer);
    const { glass } = scene;
    const drawn = glass.drawScene.bind(glass);
    glass.drawScene = (...values) => { // after whatever moves the picture
      const given = drawn(...values);
      this.draw();
      return given;
    };
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
    return [line(first), line(second), label(lowest([...first, ...second]), words)];
  }

  // Where a place in RAS mm is seen, in pixels of the page; null where it is not.
  spot(place) {
    const { glass, axis } = this.scene;
    const found = glass.frac2canvasPosWithTile(glass.mm2frac(place, 0, true), 2 - axis);
    return found ? found.pos.map((each) => each / glass.uiData.dpr) : null;
  }
}

function middle([start, end]) {
  return start.map((each, axis) => (each + end[axis]) / 2);
}

function lowest(spots) {
  return spots.reduce((low, spot) => (spot[1] > low[1] ? spot : low));
}

// A line with a bar at both ends, white in black, to be seen on any picture.
function line([start, end]) {
  const [x, y] = [end[0] - start[0], end[1] - start[1]];
  const length = Math.hypot(x, y) || 1;
  const bar = [(-y / length) * CAP, (x / length) * CAP];
  const ends = [start, end].map((at) => `M${at[0] - bar[0]} ${at[1] - bar[1]}L${at[0] + bar[0]} ${at[1] + bar[1]}`);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", `M${start}L${end}${ends.join("")}`);
  const around = path.cloneNode();
  around.classList.add("around");
  const both = document.createElementNS(SVG, "g");
  both.append(around, path);
  return both;
}

function label([x, y], words) {
  const written = document.createElementNS(SVG, "text");
  written.setAttribute("x", x);
  written.setAttribute("y", y + 20);
  written.textContent = words;
  return written;
}
