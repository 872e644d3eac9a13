// A scan as pictures that the server draws slice by slice, for a browser without WebGL2.

import { text } from "../sentences.js";

const LEAST = 0.5;
const MOST = 20;
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
    this.ondraw = () => {};
    this.onwindow = () => {};
    this.stage = picture.parentElement;
    this.axis = view.axis;
    this.large = "";
    this.windowRange = null; // the server draws presets alone
    this.resetView();
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
    this.ondraw();
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
    this.ondraw();
  }

  // The picture lies at zoom * itself + shift, in CSS pixels from the stage's top left.
  put(zoom, x, y) {
    Object.assign(this, { zoom, shift: [x, y] });
    this.picture.style.transformOrigin = "0 0";
    this.picture.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
    this.ondraw();
  }

  resetView() {
    this.put(1, 0, 0);
  }

  zoomAt(factor, x, y) {
    const zoom = Math.min(MOST, Math.max(LEAST, this.zoom * factor));
    const [left, top] = this.shift;
    const share = zoom / this.zoom;
    this.put(zoom, x - share * (x - left), y - share * (y - top));
  }

  panBy(dx, dy) {
    this.put(this.zoom, this.shift[0] + dx, this.shift[1] + dy);
  }

  windowBy() {
    this.onwindow(null);
  }

  scroll(by) {
    const slice = Math.min(this.count - 1, Math.max(0, this.slice + by));
    if (slice !== this.slice) this.show(slice);
  }

  views() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const plane = { axial: 0, coronal: 1, sagittal: 2 }[this.view.plane];
    return [{ plane, x: 0, y: 0, width, height, mm: Infinity }];
  }

  pick() {} // there is no crosshair

  turn() {
    return false;
  }

  enlargeNext() {}

  planes(wanted) {
    return wanted ? text("script_canvas.planes_need_webgl") : "";
  }

  // Why nothing can be measured here.
  get noMeasuring() {
    return this.view.unit
      ? text("script_canvas.measure_needs_webgl")
      : text("script_canvas.no_scale");
  }
}
