// The network's probabilities over a scan, where they are kept: as a colour, and as the two contours
// that enclose the least and the largest volume of the expected range.

import { make, outlined } from "../measuring/drawn.js";
import { filePlaces } from "../drawing/mask.js";
import { text } from "../sentences.js";

const COLOR = [255, 96, 0];
const DENSEST = 0.75; // opacity at a probability of 1
const LEAST = 1e-4; // what is below is no contour
const FLAT = "2d";

export class Probability {
  // scene: a Volume whose view has the address of the map.
  constructor(scene) {
    Object.assign(this, { scene, isMap: false, isRim: false, levels: [] });
    const { volume, axis } = scene;
    this.dims = volume.dimsRAS.slice(1, 4);
    this.plane = [0, 1, 2].filter((each) => each !== axis);
    this.map = document.createElement("canvas");
    this.map.className = "probability";
    [this.map.width, this.map.height] = this.plane.map((each) => this.dims[each]);
    this.layer = make("svg", { class: "drawn rim", "aria-hidden": "true" });
    this.legend = document.createElement("p");
    this.legend.className = "legend";
    this.legend.setAttribute("role", "status");
    scene.stage.append(this.map, this.layer, this.legend);
    scene.hearDrawing(() => this.draw());
  }

  // Shares of 0 to 1 along R, A, S.
  async load() {
    const { view, volume } = this.scene;
    const { img, hdr } = await window.niivue.NVImage.loadFromUrl({ url: view.probability });
    const places = filePlaces(volume);
    if (img.length < places.length || hdr.dims.slice(1, 4).some((each, at) => each !== volume.hdr.dims[at + 1])) {
      throw new Error("the probabilities lie on another grid");
    }
    this.values = Float32Array.from(places, (place) => img[place]);
    this.made = null;
    if (!view.rim) return;
    const sorted = this.values.slice().sort(); // ascending
    this.levels = view.rim.map((voxels) => Math.max(LEAST, sorted[Math.max(0, sorted.length - voxels)]));
  }

  // Show or hide one of both; what it means stands over the picture. Gives back a fault, or ''.
  async show(name, isWanted) {
    if (name === "map") this.isMap = isWanted;
    else this.isRim = isWanted;
    try {
      await (this.loading ??= this.load());
    } catch {
      this.loading = null;
      this.isMap = this.isRim = false;
      return text("script_probability.failed");
    }
    this.draw();
    return "";
  }

  get words() {
    const [low, high] = this.scene.view.rim_words;
    const map = this.isMap ? [text("script_probability.map")] : [];
    return [...map, ...(this.isRim ? [text("script_probability.rim", { low, high })] : [])].join(" ");
  }

  // In the plane of acquisition alone.
  draw() {
    const isShown = (this.isMap || this.isRim) && this.values && !this.scene.large;
    const corners = isShown ? this.corners() : null;
    this.map.hidden = !corners || !this.isMap;
    const words = corners ? this.words : "";
    if (this.legend.textContent !== words) this.legend.textContent = words;
    this.layer.replaceChildren();
    if (!corners) return;
    if (this.made !== this.scene.slice) this.make();
    const [[left, bottom], [right, top]] = corners;
    Object.assign(this.map.style, {
      left: `${Math.min(left, right)}px`, top: `${Math.min(top, bottom)}px`,
      width: `${Math.abs(right - left)}px`, height: `${Math.abs(top - bottom)}px`,
      transform: `scale(${right < left ? -1 : 1}, ${top < bottom ? -1 : 1})`,
    });
    const [columns, rows] = [this.map.width, this.map.height];
    const across = (x) => left + ((x + 0.5) / columns) * (right - left);
    const up = (y) => bottom + ((y + 0.5) / rows) * (top - bottom);
    for (const [at, lines] of this.isRim ? this.contours.entries() : []) {
      const d = lines.map(([one, other]) => `M${across(one[0])} ${up(one[1])}L${across(other[0])} ${up(other[1])}`).join("");
      if (d) this.layer.append(outlined(make("path", { d, class: at ? "high" : "low" })));
    }
  }

  // Where the first and the last corner of the slice are seen.
  corners() {
    const spots = [0, 1].map((end) => this.scene.camera.spotOf([end, end, end], { 0: 2, 1: 1, 2: 0 }[this.scene.axis]));
    return spots.includes(null) ? null : spots;
  }

  make() {
    const { slice, axis } = this.scene;
    this.made = slice;
    const [columns, rows] = this.plane.map((each) => this.dims[each]);
    const steps = [1, this.dims[0], this.dims[0] * this.dims[1]];
    const at = (x, y) => this.values[slice * steps[axis] + x * steps[this.plane[0]] + y * steps[this.plane[1]]];
    const picture = new ImageData(columns, rows);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        picture.data.set([...COLOR, 255 * DENSEST * at(x, y)], 4 * (y * columns + x));
      }
    }
    this.map.getContext(FLAT).putImageData(picture, 0, 0);
    this.contours = this.levels.map((level) => contour(at, columns, rows, level));
  }
}

// Lines around what is at least a level, between the middles of pixels (marching squares).
export function contour(at, columns, rows, level) {
  const lines = [];
  for (let y = 0; y + 1 < rows; y++) {
    for (let x = 0; x + 1 < columns; x++) {
      const corners = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]];
      const values = corners.map(([i, j]) => at(i, j));
      const crossings = [];
      for (let side = 0; side < 4; side++) {
        const [one, other] = [values[side], values[(side + 1) % 4]];
        if (one >= level === other >= level) continue;
        const share = (level - one) / (other - one);
        crossings.push(corners[side].map((each, n) => each + share * (corners[(side + 1) % 4][n] - each)));
      }
      for (let n = 0; n + 1 < crossings.length; n += 2) lines.push([crossings[n], crossings[n + 1]]);
    }
  }
  return lines;
}
