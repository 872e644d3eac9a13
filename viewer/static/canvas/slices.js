// A scan as pictures that the server draws slice by slice, for a browser without WebGL2.

import { text } from "../sentences.js";

const WAIT = 60; // ms: who scrolls on does not want the slices in between

export class Slices {
  constructor(picture, view) {
    this.picture = picture;
    this.view = view;
    this.count = view.count;
    this.slice = view.slice;
    this.place = null;
    this.look = { marks: "outline", opacity: 40, window: 1 };
    this.onmove = () => {};
    this.onmeasure = () => {};
    picture.addEventListener("error", () => { picture.alt = text("script_canvas.slice_failed"); });
    this.draw();
  }

  show(slice) {
    this.slice = slice;
    this.onmove();
    clearTimeout(this.later);
    this.later = setTimeout(() => this.draw(), WAIT);
  }

  goTo(place, slice) {
    this.show(slice ?? this.slice);
  }

  draw() {
    const look = new URLSearchParams(this.look);
    const address = `${this.view.base}/slices/${this.slice + 1}.png${this.view.revision}&${look}`;
    this.picture.src = address;
    this.picture.alt = text("script_canvas.slice", { slice: this.slice + 1, count: this.count });
  }

  marks(kind, opacity) {
    Object.assign(this.look, { marks: kind, opacity: Math.round(100 * opacity) });
    this.draw();
  }

  window(preset) {
    this.look.window = preset;
    this.draw();
  }

  planes(wanted) {
    return wanted ? text("script_canvas.planes_need_webgl") : "";
  }

  measure(wanted) {
    if (!wanted) return "";
    return this.view.unit
      ? text("script_canvas.measure_needs_webgl")
      : text("script_canvas.no_scale");
  }
}
