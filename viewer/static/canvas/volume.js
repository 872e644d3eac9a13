// A scan in a canvas, drawn by NiiVue from the files that were analyzed, on the mask's own grid.

import { Camera, THROUGH } from "./camera.js";
import { COLORMAP, COLORS, boxOf, shaderOf } from "./outline.js";
import { arrange, nextView } from "./planes.js";
import { text } from "../sentences.js";
import { brightnessOf, windowOf } from "./window_presets.js";

const DRAWN_BY = "webgl2";
const OUTLINE_PIXELS = 2;
const AXES = { axial: 2, coronal: 1, sagittal: 0 };
const UNITS = 7; // the bits of NIfTI's xyzt_units that hold the unit of length
const MILLIMETRES = [0, 2]; // not told, mm
const WINDOW_PIXELS = 400; // of a drag that goes through the head's whole brightness
const CROSSHAIR = 0.8; // mm
const RENDER_FROM = [110, 10]; // degrees: where one looks at a head in 3D from, as NiiVue begins
const TURN = 0.5; // degrees a pixel, of a head in 3D
const KEY_TURN = 10; // degrees a key
const QUIET = [
  ...["wheelListener", "resetBriCon", "keyDownListener", "keyUpListener"],
  ...["mouseDownListener", "mouseMoveListener", "mouseUpListener", "mouseLeaveListener"],
  ...["touchStartListener", "touchMoveListener", "touchEndListener"],
];

// The bytes of the scan's files; asked for at once, before NiiVue itself has arrived.
export function fetchFiles(view) {
  return Promise.all([view.image, view.mask].map(async (address) => {
    if (!address) return null;
    const answer = await fetch(address);
    if (!answer.ok) throw new Error("a file of the scan is not there");
    return answer.arrayBuffer();
  }));
}

export class Volume {
  static async open(canvas, view, files) {
    const { Niivue, NVImage } = window.niivue;
    const glass = new Niivue({
      isRadiologicalConvention: true,
      sagittalNoseLeft: view.nose_left,
      isOrientationTextVisible: false, // annotations.js writes them
      dragAndDropEnabled: false,
      fontMinPx: 18,
      crosshairWidth: 0, crosshairWidthUnit: "mm", crosshairGap: 8,
      viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "",
      fontColor: [1, 1, 1, 1],
      crosshairColor: [1, 1, 1, 0.6],
      loadingText: "", logLevel: "error", isAntiAlias: false,
    });
    glass.opts.dragMode = glass.dragModes.none;
    tame(glass);
    canvas.getContext(DRAWN_BY, { alpha: false, antialias: false }); // NiiVue takes it as it is
    await glass.attachToCanvas(canvas);
    const [image, mask] = await files;
    const volume = await NVImage.loadFromUrl({ url: image });
    const marks = mask && (await NVImage.loadFromUrl({ url: mask }));
    layOver(volume, marks);
    return new Volume(glass, view, volume, marks);
  }

  constructor(glass, view, volume, marks) {
    this.glass = glass;
    this.view = view;
    this.axis = AXES[view.plane];
    this.count = volume.dimsRAS[this.axis + 1];
    if (this.count !== view.count) throw new Error("the file has other slices than the report");
    this.onmove = () => {};
    this.ondraw = () => {};
    this.onwindow = () => {};
    this.stage = glass.canvas.parentElement;
    this.camera = new Camera(glass);
    this.large = ""; // of three planes the one that is shown alone, or "all"; '' in the own plane
    this.chosen = null; // the middle of the chosen lesion, in RAS mm
    this.brightness = brightnessOf(volume);
    this.volume = volume;
    [volume.cal_min, volume.cal_max] = windowOf(this.brightness, 1);
    arrange(glass, view.plane);
    this.load(volume, marks);
    this.beside = [];
    hearDrawing(glass, () => {
      this.ondraw();
      for (const act of this.beside) act();
    });
    glass.onLocationChange = () => this.onmove();
    this.marks("outline", 1);
    this.show(view.slice);
  }

  // Each change of a volume sends all of them to the graphics card, so both come at once.
  load(volume, marks) {
    this.glass.setCustomSliceShader(shaderOf(marks && boxOf(marks)));
    if (!marks) {
      this.glass.addVolume(volume);
      return;
    }
    this.glass.addColormap(COLORMAP, COLORS);
    Object.assign(marks, { cal_min: 0, cal_max: 1 });
    marks.colormap = COLORMAP;
    this.glass.volumes = [volume];
    this.glass.addVolume(marks);
  }

  // The slice that is shown, from 0, in the order of the pictures.
  get slice() {
    const at = Math.floor(this.glass.scene.crosshairPos[this.axis] * this.count);
    return Math.min(this.count - 1, Math.max(0, at));
  }

  show(slice) {
    const at = [...this.glass.scene.crosshairPos];
    at[this.axis] = (slice + 0.5) / this.count;
    this.moveTo(at);
  }

  // The place of the crosshair, in RAS mm.
  get place() {
    return [...this.glass.frac2mm(this.glass.scene.crosshairPos, 0, true)].slice(0, 3);
  }

  // Go to a place in RAS mm; the slice next to it is shown, never a mixture of two.
  goTo(place, slice) {
    const at = [...this.glass.mm2frac(place, 0, true)].map((share) => Math.min(1, Math.max(0, share)));
    const nearest = Math.min(this.count - 1, Math.floor(at[this.axis] * this.count));
    at[this.axis] = ((slice ?? nearest) + 0.5) / this.count;
    this.moveTo(at);
  }

  moveTo(share) {
    this.glass.scene.crosshairPos = share;
    this.glass.drawScene();
    this.onmove();
  }

  marks(kind, opacity) {
    this.glass.overlayOutlineWidth = kind === "outline" ? OUTLINE_PIXELS : 0;
    this.glass.overlayAlphaShader = { outline: 1, fill: opacity, none: 0 }[kind];
    this.glass.opts.renderOverlayBlend = kind === "none" ? 0 : 1; // the same in 3D
    this.glass.drawScene();
  }

  // A preset, 1 to 5; again too, where a person had changed it.
  window(preset) {
    this.wanted = null;
    const [black, white] = windowOf(this.brightness, preset);
    if (this.volume.cal_min !== black || this.volume.cal_max !== white) this.setWindow(black, white);
  }

  // What is black and what is white, in the scan's own values.
  get windowRange() {
    return [this.volume.cal_min, this.volume.cal_max];
  }

  setWindow(black, white) {
    Object.assign(this.volume, { cal_min: black, cal_max: white });
    this.glass.refreshLayers(this.volume, 0);
    this.glass.drawScene();
  }

  // A drag: to the right widens, down raises the level, which darkens.
  windowBy(dx, dy) {
    const pixel = (this.brightness.white - this.brightness.black) / WINDOW_PIXELS;
    const [black, white] = this.wanted ?? this.windowRange;
    const width = Math.max(pixel, white - black + dx * pixel);
    const level = (black + white) / 2 + dy * pixel;
    this.wanted = [level - width / 2, level + width / 2];
    this.due ??= requestAnimationFrame(() => {
      const range = this.wanted;
      this.due = this.wanted = null;
      if (!range) return; // a preset came in between
      this.setWindow(...range);
      this.onwindow(range);
    });
  }

  // After whatever moves the picture.
  hearDrawing(act) {
    this.beside.push(act);
  }

  get zoom() {
    return this.camera.zoom;
  }

  views() {
    return this.camera.views();
  }

  zoomAt(factor, x, y) {
    this.camera.zoomAt(factor, x, y);
  }

  panBy(dx, dy, x, y) {
    this.camera.panBy(dx, dy, x, y);
  }

  resetView() {
    this.camera.reset();
    this.glass.setRenderAzimuthElevation(...RENDER_FROM);
  }

  // Scroll the view at a point by some slices; without a point that one which is shown alone.
  scroll(by, x, y) {
    const view = x === undefined ? null : this.camera.viewAt(x, y);
    const axis = view ? THROUGH[view.plane] : (AXES[this.large] ?? this.axis);
    if (this.large === "render") {
      this.turn(by * (KEY_TURN / TURN), 0);
      return;
    }
    if (axis === undefined) return; // over a head in 3D
    const count = this.volume.dimsRAS[axis + 1];
    const at = [...this.glass.scene.crosshairPos];
    const slice = Math.min(count - 1, Math.max(0, Math.floor(at[axis] * count) + by));
    if (slice === Math.min(count - 1, Math.floor(at[axis] * count))) return;
    at[axis] = (slice + 0.5) / count;
    this.moveTo(at);
  }

  // Put the crosshair at a point of the canvas.
  pick(x, y) {
    const at = this.camera.shareAt(x, y);
    if (!at || !this.large) return;
    at[this.axis] = (Math.min(this.count - 1, Math.floor(at[this.axis] * this.count)) + 0.5) / this.count;
    this.moveTo(at);
  }

  // Turn the head in 3D at a point, or the one that is shown alone; tells whether there is one.
  turn(dx, dy, x, y) {
    const view = x === undefined ? null : this.camera.viewAt(x, y);
    if (view ? view.plane < 3 : this.large !== "render") return false;
    const { renderAzimuth, renderElevation } = this.glass.scene;
    const elevation = Math.min(90, Math.max(-90, renderElevation + dy * TURN));
    this.glass.setRenderAzimuthElevation(renderAzimuth - dx * TURN, elevation);
    return true;
  }

  planes(wanted) {
    this.enlarge(wanted ? "all" : "");
    if (wanted && this.chosen) this.goTo(this.chosen);
    return "";
  }

  // Show "all" four views or one of them alone; '' for the slices as they were acquired.
  enlarge(name) {
    this.large = name;
    this.glass.opts.crosshairWidth = name ? CROSSHAIR : 0;
    arrange(this.glass, name || this.view.plane);
    this.onmove();
  }

  enlargeNext() {
    if (this.large) this.enlarge(nextView(this.large));
  }
}

// NiiVue has gestures and keys of its own: a box for the window, a double click that changes it, a
// wheel that zooms. All of them are off.
function tame(glass) {
  for (const name of QUIET) glass[name] = () => {};
}

function hearDrawing(glass, heard) {
  const draw = glass.drawScene.bind(glass);
  glass.drawScene = (...values) => {
    const given = draw(...values);
    heard();
    return given;
  };
}

// Lay mask and scan on the grid that was analyzed. Readers differ in which of a file's positions they
// believe, and in units; of such a file a plain copy is shown. Results of before have no copy, but
// masks on that grid.
function layOver(volume, marks) {
  const { hdr } = volume;
  const placed = hdr.sform_code > 0 ? hdr.qform_code <= hdr.sform_code : hdr.qform_code > 0;
  const plain = placed && MILLIMETRES.includes(hdr.xyzt_units & UNITS);
  if (!marks) {
    if (!plain) throw new Error("an odd position");
    return;
  }
  const same = [1, 2, 3].every((axis) => hdr.dims[axis] === marks.hdr.dims[axis]);
  if (!same) throw new Error("the mask is on another grid");
  if (plain) marks.setAffine(hdr.affine);
  else volume.setAffine(marks.hdr.affine);
}
