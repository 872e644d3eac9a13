// What stands over a scan: whose it is, which slice, how it is shown; letters of the sides, a scale.

import { text } from "../sentences.js";
import { VIEWS } from "./planes.js";

const BARS = [1, 2, 5, 10, 20, 50, 100, 200, 500]; // mm
const NARROWEST = 60; // pixels, of the scale bar
const FINE = 50; // grey values: a window that is wider is told in whole numbers
const ENDS = [["R", "L"], ["A", "P"], ["S", "I"]]; // of the axes of RAS: towards plus, towards minus

export class Annotations {
  constructor(figure, scene, view) {
    Object.assign(this, { figure, scene, view });
    this.layer = part("div", "corners", figure.querySelector(".stage"));
    this.layer.setAttribute("aria-hidden", "true"); // all of it stands elsewhere on the page too
    this.corners = Object.fromEntries(["nw", "ne", "sw", "se"].map((at) => [at, part("div", `corner ${at}`, this.layer)]));
    this.scale = part("div", "scale-bar");
    this.letters = [];
    this.enlarge = [];
    scene.ondraw = () => this.later();
    new ResizeObserver(() => this.later()).observe(figure.querySelector(".stage"));
    this.later();
  }

  later() {
    this.due ??= requestAnimationFrame(() => {
      this.due = null;
      this.draw();
    });
  }

  draw() {
    const views = this.scene.views();
    const four = views.length > 1;
    this.layer.classList.toggle("four", four);
    const { patient, id, acquired, spacing } = this.view.corner;
    write(this.corners.nw, [patient, id, ...(four ? [acquired] : [])]);
    write(this.corners.ne, four ? [] : [acquired, spacing]);
    const here = [...this.sliceLines(), this.placeLine()];
    write(this.corners.sw, four ? [] : here);
    write(this.corners.se, [...(four ? here : []), this.zoomLine(), this.windowLine()]);
    this.drawScale(views);
    this.drawLetters(views);
    this.drawEnlarge(four || this.scene.large ? views : []);
  }

  sliceLines() {
    const { count } = this.scene;
    const slice = this.scene.slice + 1;
    return count > 1 ? [text("script_canvas.corner_slice", { slice, count })] : [];
  }

  // Where the slice lies, or in three planes the crosshair. A picture is nowhere; of slices that the
  // server draws the place is not asked for.
  placeLine() {
    const { place } = this.scene;
    if (!this.view.corner.scale || !place) return "";
    if (!this.view.letters) return text("script_canvas.corner_place_unknown");
    const axes = this.scene.large ? [0, 1, 2] : [this.scene.axis];
    const words = axes.map((axis) => `${ENDS[axis][place[axis] < 0 ? 1 : 0]} ${Math.abs(place[axis]).toFixed(1)}`);
    const at = words.join(" ");
    return text("script_canvas.corner_place", { at });
  }

  zoomLine() {
    const percent = Math.round(100 * this.scene.zoom);
    return text("script_canvas.corner_zoom", { percent });
  }

  windowLine() {
    const range = this.scene.windowRange;
    if (!range) return text("script_canvas.corner_preset", { name: this.scene.presetName ?? "" });
    return windowWords(range);
  }

  drawScale(views) {
    const view = views.find((each) => each.plane < 3);
    const { scale } = this.view.corner;
    const length = view && scale && BARS.find((mm) => mm / view.mm > NARROWEST);
    if (!length) {
      this.scale.remove();
      return;
    }
    this.scale.style.width = `${length / view.mm}px`;
    this.scale.textContent = `${length} ${scale}`;
    this.corners.se.prepend(this.scale);
  }

  drawLetters(views) {
    for (const letter of this.letters) letter.remove();
    if (!this.view.letters) return;
    this.letters = views.filter((view) => view.plane < 3).flatMap((view) => {
      const [left, right, top, bottom] = this.lettersOf(view.plane);
      return [["w", left, 0, 0.5], ["e", right, 1, 0.5], ["n", top, 0.5, 0], ["s", bottom, 0.5, 1]].map(
        ([side, words, across, down]) => {
          const letter = part("span", `letter ${side}`, this.layer);
          letter.textContent = words;
          letter.style.left = `${view.x + across * view.width}px`;
          letter.style.top = `${view.y + down * view.height}px`;
          return letter;
        },
      );
    });
  }

  // Left, right, top and bottom of a plane: the patient's right is on the left.
  lettersOf(plane) {
    if (plane === 0) return ["R", "L", "A", "P"];
    if (plane === 1) return ["R", "L", "S", "I"];
    return this.view.nose_left ? ["A", "P", "S", "I"] : ["P", "A", "S", "I"];
  }

  // A button in each view that shows it alone, or all of them again.
  drawEnlarge(views) {
    const alone = views.length === 1;
    const key = views.length ? `${this.scene.large} ${views.map((each) => each.plane)} ${this.figure.clientWidth}` : "";
    if (key === this.drawn) return;
    this.drawn = key;
    for (const button of this.enlarge) button.remove();
    this.enlarge = views.map((view, at) => {
      const button = part("button", `enlarge ${alone ? "alone" : VIEWS[at]}`, this.figure.querySelector(".stage"));
      button.type = "button";
      button.textContent = alone ? "⤡" : "⤢";
      const name = alone ? this.scene.large : VIEWS[at];
      button.setAttribute("aria-label", this.enlargeWords(name, alone));
      button.title = this.enlargeWords(name, alone);
      button.addEventListener("click", () => this.scene.enlarge(alone ? "all" : name));
      return button;
    });
  }

  enlargeWords(name, alone) {
    if (alone) return text("script_canvas.show_all");
    const names = {
      axial: text("script_canvas.enlarge_axial"),
      coronal: text("script_canvas.enlarge_coronal"),
      sagittal: text("script_canvas.enlarge_sagittal"),
      render: text("script_canvas.enlarge_render"),
    };
    return names[name];
  }
}

// Width and level of a window, for people.
export function windowWords([black, white]) {
  const digits = white - black < FINE ? 2 : 0;
  const width = (white - black).toFixed(digits);
  const level = ((white + black) / 2).toFixed(digits);
  return text("script_canvas.corner_window", { width, level });
}

function part(tag, kind, within) {
  const made = document.createElement(tag);
  made.className = kind;
  within?.append(made);
  return made;
}

function write(corner, lines) {
  const told = lines.filter(Boolean);
  if (corner.dataset.told === told.join("\n")) return;
  corner.dataset.told = told.join("\n");
  corner.replaceChildren(...told.map((words) => {
    const line = part("p", "");
    line.textContent = words;
    line.dir = "auto";
    return line;
  }));
}
