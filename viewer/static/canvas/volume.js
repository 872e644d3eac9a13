// A scan in a canvas, drawn by NiiVue from the files that were analyzed, on the mask's own grid.

import { COLORMAP, COLORS, SHADER } from "./outline.js";
import { text } from "../sentences.js";
import { brightnessOf, windowOf } from "./window_presets.js";

const OUTLINE_PIXELS = 2;
const AXES = { axial: 2, coronal: 1, sagittal: 0 };
const UNITS = 7; // the bits of NIfTI's xyzt_units that hold the unit of length
const MILLIMETRES = [0, 2]; // not told, mm

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
      isOrientationTextVisible: view.letters,
      dragAndDropEnabled: false,
      showAllOrientationMarkers: true,
      fontMinPx: 18,
      crosshairWidth: 0,
      multiplanarShowRender: 0,
      viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "",
      fontColor: [1, 1, 1, 1],
      crosshairColor: [1, 1, 1, 0.6],
      measureTextColor: [1, 1, 1, 1],
      measureLineColor: [1, 1, 1, 1],
      loadingText: "", logLevel: "error", isAntiAlias: false,
    });
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
    this.onmeasure = () => {};
    this.brightness = brightnessOf(volume);
    this.volume = volume;
    this.preset = 1;
    [volume.cal_min, volume.cal_max] = windowOf(this.brightness, this.preset);
    glass.setSliceType(this.ownPlane());
    this.load(volume, marks);
    glass.onLocationChange = () => this.onmove();
    glass.onDragRelease = (drag) => this.measuring && this.onmeasure(drag.mmLength);
    this.marks("outline", 1);
    this.show(view.slice);
  }

  // Each change of a volume sends all of them to the graphics card, so both come at once.
  load(volume, marks) {
    this.glass.setCustomSliceShader(SHADER);
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

  ownPlane() {
    const { sliceTypeAxial, sliceTypeCoronal, sliceTypeSagittal } = this.glass;
    return [sliceTypeSagittal, sliceTypeCoronal, sliceTypeAxial][this.axis];
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
    this.glass.drawScene();
  }

  window(preset) {
    if (preset === this.preset) return;
    this.preset = preset;
    [this.volume.cal_min, this.volume.cal_max] = windowOf(this.brightness, preset);
    this.glass.updateGLVolume();
  }

  planes(wanted) {
    this.glass.opts.crosshairWidth = wanted ? 1 : 0;
    this.glass.setSliceType(wanted ? this.glass.sliceTypeMultiplanar : this.ownPlane());
    return "";
  }

  measure(wanted) {
    this.measuring = wanted;
    this.glass.opts.dragModePrimary = wanted ? this.glass.dragModes.measurement : 8; // its crosshair
    if (!wanted) this.glass.clearMeasurements();
    return wanted ? text("script_canvas.draw_line") : "";
  }
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
