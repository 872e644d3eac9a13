// What people measure on a scan: lines, angles, ellipses and single values over its canvas. A shape
// lies on the file's own voxels, so it stays on its slice; what it measures, the server tells.

import { text } from "../sentences.js";
import { label, layerOn, line, make, outlined } from "./drawn.js";
import { Places } from "./places.js";

export const POINTS = { length: 2, angle: 3, ellipse: 2, probe: 1 };
const LEAST = 4; // pixels: who moves less has clicked
const CROSS = 7;
const AGAIN = 5000; // ms

export class Shapes {
  // keeper: a Keeper of this scan's measurements; tell: says something to who draws.
  constructor(scene, keeper, tell) {
    Object.assign(this, { scene, keeper, tell, places: new Places(scene), kept: [], draft: null, own: [] });
    this.layer = layerOn(scene.stage, "shapes");
    scene.hearDrawing(() => this.draw());
    keeper.onlist = (shapes) => {
      this.kept = shapes;
      this.draw();
    };
  }

  // A press of the left button with one of POINTS as the tool; an angle takes its last point anew.
  begin(shape, { x, y }) {
    const voxel = this.places.voxelAt(x, y);
    if (!voxel) return;
    const isLeg = this.draft?.shape === shape && this.draft.points.length === 2 && this.draft.slice === this.scene.slice;
    if (isLeg && shape === "angle") this.draft.points.push(voxel);
    else this.draft = { shape, slice: this.scene.slice, points: shape === "probe" ? [voxel] : [voxel, voxel] };
    this.start = { x, y };
    this.draw();
  }

  move({ x, y }) {
    const voxel = this.draft && this.places.voxelAt(x, y);
    if (!voxel || this.draft.slice !== this.scene.slice) return;
    this.draft.points[this.draft.points.length - 1] = voxel;
    this.tellDraft();
    this.draw();
  }

  end({ x, y }) {
    const { draft } = this;
    if (!draft) return;
    const isClick = Math.hypot(x - this.start.x, y - this.start.y) < LEAST;
    if (isClick && draft.points.length === 2) {
      this.cancel();
      this.tell(text("script_measuring.drag"));
    } else if (draft.points.length === POINTS[draft.shape]) this.finish();
    else this.tell(text("script_measuring.second_leg"));
  }

  cancel() {
    this.draft = null;
    this.draw();
  }

  finish() {
    const { draft } = this;
    this.draft = null;
    this.own.push(draft);
    this.draw();
    this.send(draft);
  }

  // What cannot be sent just now stays where it is drawn, and is sent once more.
  async send(shape) {
    const drop = () => { this.own = this.own.filter((each) => each !== shape); };
    try {
      const words = await this.keeper.measure(shape);
      this.tell(words.join("; "));
      if (this.keeper.mayKeep) drop(); // it is in the list
      else shape.words = words;
    } catch (error) {
      this.tell(this.keeper.faultWords(error));
      if (this.keeper.isPassing(error)) setTimeout(() => this.send(shape), AGAIN);
      else drop();
    }
    this.draw();
  }

  // While it is drawn, a length is told as the report's spacing gives it.
  tellDraft() {
    const { shape, points } = this.draft;
    const mm = shape === "length" ? this.places.apart(...points) : null;
    if (mm !== null) this.tell(text("script_measuring.length", { mm: mm.toFixed(1) }));
  }

  draw() {
    const { slice } = this.scene;
    const here = [...this.kept, ...this.own, ...(this.draft ? [this.draft] : [])].filter((each) => each.slice === slice);
    this.layer.replaceChildren(...here.flatMap((each) => this.drawn(each)));
  }

  drawn({ shape, points, words = [] }) {
    const spots = points.map((point) => this.places.spotOf(point));
    if (spots.includes(null)) return [];
    if (shape === "length") return [line(spots), ...label(spots, words)];
    if (shape === "probe") return [cross(spots[0]), ...label(spots, words)];
    if (shape === "angle") return [outlined(make("path", { d: `M${spots.join("L")}` })), ...label(spots, words)];
    const [cx, cy] = [0, 1].map((each) => (spots[0][each] + spots[1][each]) / 2);
    const [rx, ry] = [0, 1].map((each) => Math.abs(spots[1][each] - spots[0][each]) / 2);
    return [outlined(make("ellipse", { cx, cy, rx, ry })), ...label([[cx, cy + ry]], words)];
  }
}

function cross([x, y]) {
  return outlined(make("path", { d: `M${x - CROSS} ${y}H${x + CROSS}M${x} ${y - CROSS}V${y + CROSS}` }));
}
