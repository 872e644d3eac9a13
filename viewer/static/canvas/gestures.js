// Mouse, pen and fingers over one scan: which gesture asks for what.

import { POINTS } from "../measuring/shapes.js";

const NOTCH = 50; // of a wheel's way: from here on one event is one slice
const LINE = 40; // pixels, of a wheel that counts lines
const CLICK = 4; // pixels: who moves less has clicked
const DOUBLE = 400; // ms between the taps of a double tap
const ZOOM_PIXELS = 200; // of a drag that zooms by e
const WHEEL_PIXELS = 400;
const SLICE_PIXELS = [4, 16]; // of a drag, for a slice: least and most

export class Gestures {
  // scene: a Volume or Slices; tools: a MouseTools; scenes: gives all that are open.
  constructor(scene, tools, scenes) {
    Object.assign(this, { scene, tools, scenes, stage: scene.stage });
    this.pointers = new Map();
    this.turned = 0;
    this.lastTap = { time: 0 };
    const on = (name, act, options) => this.stage.addEventListener(name, act, options);
    on("wheel", (event) => this.onWheel(event), { passive: false });
    on("pointerdown", (event) => this.onDown(event));
    on("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) on(name, (event) => this.onUp(event));
    on("dblclick", (event) => { if (!this.isButton(event) && !(this.tools.left in POINTS)) this.resetView(); });
    on("contextmenu", (event) => event.preventDefault());
    on("mousedown", (event) => { if (event.button === 1) event.preventDefault(); }); // scrolls by itself
  }

  isButton(event) {
    return event.target.closest("button, a, input") !== null;
  }

  at(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  each(act) {
    for (const scene of this.scenes()) act(scene);
  }

  resetView() {
    this.each((scene) => scene.resetView());
  }

  onWheel(event) {
    event.preventDefault();
    const { x, y } = this.at(event);
    const way = event.deltaMode ? event.deltaY * LINE : event.deltaY;
    if (event.ctrlKey || event.metaKey) {
      this.each((scene) => scene.zoomAt(Math.exp(-way / WHEEL_PIXELS), x, y));
      return;
    }
    this.turned = Math.abs(way) >= NOTCH ? Math.sign(way) * NOTCH : this.turned + way;
    const slices = Math.trunc(this.turned / NOTCH);
    this.turned -= slices * NOTCH;
    if (slices) this.scene.scroll(-slices, x, y);
  }

  onDown(event) {
    if (this.isButton(event)) return;
    const at = this.at(event);
    this.pointers.set(event.pointerId, at);
    const tool = this.tools.of(event.button);
    const isPinch = this.pointers.size === 2;
    this.stage.setPointerCapture(event.pointerId);
    if (isPinch) this.scene.shapes?.cancel();
    else if (tool in POINTS) this.scene.shapes?.begin(tool, at);
    if (isPinch) this.drag = { tool: "pinch", ...this.spread() };
    else this.drag = { tool, start: at, last: at, left: 0, isClick: event.button === 0 };
  }

  onMove(event) {
    if (!this.pointers.has(event.pointerId)) return;
    const at = this.at(event);
    this.pointers.set(event.pointerId, at);
    const { drag } = this;
    if (!drag) return;
    if (drag.tool === "pinch") {
      this.pinch();
      return;
    }
    if (drag.tool in POINTS) {
      this.scene.shapes?.move(at);
      return;
    }
    if (Math.hypot(at.x - drag.start.x, at.y - drag.start.y) > CLICK) drag.isClick = false;
    if (drag.isClick) return;
    this.act(drag, at.x - drag.last.x, at.y - drag.last.y, at);
    drag.last = at;
  }

  onUp(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { drag } = this;
    if (drag?.tool === "pinch" && this.pointers.size) return; // the other finger is still down
    this.drag = null;
    if (drag?.tool in POINTS) {
      if (event.type === "pointerup") this.scene.shapes?.end(this.at(event));
      else this.scene.shapes?.cancel();
    } else if (drag?.isClick && event.type === "pointerup") this.click(event, this.at(event));
  }

  click(event, { x, y }) {
    const tap = { time: event.timeStamp, x, y };
    const isDouble = tap.time - this.lastTap.time < DOUBLE && Math.hypot(x - this.lastTap.x, y - this.lastTap.y) < 30;
    this.lastTap = isDouble ? { time: 0 } : tap;
    if (isDouble && event.pointerType === "touch") this.resetView();
    else this.scene.pick(x, y);
  }

  act(drag, dx, dy, at) {
    const { x, y } = drag.start;
    if (this.scene.turn(dx, dy, x, y)) return; // a head in 3D
    if (drag.tool === "scroll") this.scrollBy(drag, -dy);
    else if (drag.tool === "window") this.each((scene) => scene.windowBy(dx, dy));
    else if (drag.tool === "pan") this.each((scene) => scene.panBy(dx, dy, x, y));
    else if (drag.tool === "zoom") this.each((scene) => scene.zoomAt(Math.exp(-dy / ZOOM_PIXELS), x, y));
    else if (drag.tool === "crosshair") this.scene.pick(at.x, at.y);
  }

  scrollBy(drag, up) {
    const [least, most] = SLICE_PIXELS;
    const pixels = Math.min(most, Math.max(least, this.stage.clientHeight / this.scene.count));
    drag.left += up;
    const slices = Math.trunc(drag.left / pixels);
    drag.left -= slices * pixels;
    if (slices) this.scene.scroll(slices, drag.start.x, drag.start.y);
  }

  // The middle of two fingers, and how far they are apart.
  spread() {
    const [one, other] = [...this.pointers.values()];
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, apart: Math.hypot(one.x - other.x, one.y - other.y) };
  }

  pinch() {
    const { drag } = this;
    if (this.pointers.size < 2) return;
    const now = this.spread();
    this.each((scene) => {
      scene.panBy(now.x - drag.x, now.y - drag.y, drag.x, drag.y);
      scene.zoomAt(now.apart / Math.max(1, drag.apart), now.x, now.y);
    });
    Object.assign(drag, now);
  }
}
