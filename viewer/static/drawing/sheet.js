// The mask that is drawn, on the canvas of its scan: shows it, and turns the pointer's way into strokes.

import { stroke } from "./brush.js";

const CHOSEN = 255;
const OTHER = 128;

export class Sheet {
  // onstroke: hears of what was changed, stroke by stroke; options: tells width (mm) and isErasing.
  constructor(figure, scene, mask, options) {
    Object.assign(this, { figure, scene, mask, options, from: null, onstroke: () => {}, onmark: () => {} });
    this.glass = scene.glass;
    this.canvas = figure.querySelector(".glass");
    this.glass.createEmptyDrawing();
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.hidden = true;
    figure.querySelector(".stage").append(this.tip);
    this.ear = new AbortController();
    const listen = (name, act) => figure.addEventListener(name, act, { capture: true, signal: this.ear.signal });
    listen("pointerdown", (event) => this.begin(event));
    listen("pointermove", (event) => this.move(event));
    listen("pointerup", (event) => this.end(event));
    listen("pointercancel", (event) => this.end(event));
    listen("pointerleave", (event) => { if (event.target === this.canvas) this.tip.hidden = true; });
    for (const name of ["mousedown", "touchstart"]) listen(name, (event) => this.keepFrom(event));
    this.show();
  }

  close() {
    this.ear.abort();
    this.tip.remove();
    this.glass.closeDrawing();
    this.canvas.style.cursor = "";
  }

  // Send all of it to the graphics card, once for what comes within one picture.
  show() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      if (!this.glass.drawBitmap) return;
      const { labels, lesion } = this.mask;
      const drawn = this.glass.drawBitmap;
      for (let at = 0; at < labels.length; at++) {
        drawn[at] = labels[at] ? (lesion && labels[at] !== lesion ? OTHER : CHOSEN) : 0;
      }
      this.glass.refreshDrawing(true);
    });
  }

  // Place on the plane in voxels, of an event over a slice as it was acquired; null elsewhere.
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const { dpr } = this.glass.uiData;
    const spot = [(event.clientX - box.left) * dpr, (event.clientY - box.top) * dpr];
    const tile = this.glass.screenSlices[this.glass.tileIndex(...spot)];
    if (tile?.axCorSag !== 2 - this.mask.axis) return null;
    const share = this.glass.canvasPos2frac(spot);
    if (share[0] < 0) return null;
    return this.mask.plane.map((axis) => share[axis] * this.mask.dims[axis] - 0.5);
  }

  isOurs(event) {
    const isPlain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    return event.target === this.canvas && event.isPrimary !== false && !event.button && isPlain;
  }

  // The canvas' own use of the same press.
  keepFrom(event) {
    const isSingle = !event.touches || event.touches.length === 1;
    if (isSingle && this.isOurs(event) && (this.from || event.type === "touchstart")) event.stopPropagation();
  }

  begin(event) {
    const place = this.isOurs(event) ? this.place(event) : null;
    if (!place) return;
    event.preventDefault();
    event.stopPropagation();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.mask.begin();
    Object.assign(this, { from: place, slice: this.scene.slice, pointer: event.pointerId });
    this.draw(place);
  }

  move(event) {
    this.showTip(event);
    if (!this.from || event.pointerId !== this.pointer) return;
    event.preventDefault();
    event.stopPropagation();
    const way = event.getCoalescedEvents?.() ?? [];
    for (const each of way.length ? way : [event]) {
      const place = this.place(each);
      if (place) this.draw(place);
    }
  }

  draw(place) {
    const { width, isErasing } = this.options();
    stroke(this.mask, this.slice, this.from, place, width, isErasing);
    this.from = place;
    this.show();
    this.onmark();
  }

  end(event) {
    if (!this.from || event.pointerId !== this.pointer) return;
    event.stopPropagation();
    this.from = null;
    if (this.mask.end()) this.onstroke();
    this.show();
  }

  // A ring as wide as the brush goes with the pointer.
  showTip(event) {
    const here = event.target === this.canvas ? this.place(event) : null;
    this.tip.hidden = !here;
    this.canvas.style.cursor = here ? "crosshair" : "";
    if (!here) return;
    const box = this.canvas.getBoundingClientRect();
    const { dpr } = this.glass.uiData;
    const spot = [(event.clientX - box.left) * dpr, (event.clientY - box.top) * dpr];
    const sizes = [0, 1].map((side) => {
      const beside = spot.map((each, at) => each + (at === side ? 1 : 0));
      const [one, other] = [this.glass.canvasPos2frac(spot), this.glass.canvasPos2frac(beside)];
      const mm = Math.hypot(...this.mask.plane.map((axis) =>
        (other[axis] - one[axis]) * this.mask.dims[axis] * this.mask.spacing[axis]));
      return this.options().width / mm / dpr;
    });
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    Object.assign(this.tip.style, {
      left: `${x - sizes[0] / 2}px`, top: `${y - sizes[1] / 2}px`, width: `${sizes[0]}px`, height: `${sizes[1]}px`,
    });
  }
}
