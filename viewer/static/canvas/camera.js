// Zoom and pan of NiiVue's canvas, and what lies under a point of it.
// Points are in CSS pixels from the canvas' top left. NiiVue shows a place at zoom * place + pan.

const LEAST = 0.5;
const MOST = 20;
const ACROSS = [[0, 1], [0, 2], [1, 2]]; // of axial, coronal, sagittal: the axes right and up
export const THROUGH = [2, 1, 0]; // of the same: the axis that one scrolls along

export class Camera {
  constructor(glass) {
    this.glass = glass;
  }

  get zoom() {
    return this.glass.scene.pan2Dxyzmm[3];
  }

  get dpr() {
    return this.glass.uiData.dpr || 1;
  }

  // The views that are drawn now: of each its plane (0 axial, 1 coronal, 2 sagittal, 4 in 3D), its
  // box in CSS pixels, and how many mm a CSS pixel has.
  views() {
    return this.glass.screenSlices.map((tile) => {
      const [x, y, width, height] = tile.leftTopWidthHeight.map((each) => each / this.dpr);
      return { plane: tile.axCorSag, x, y, width, height, mm: Math.abs(tile.fovMM[0]) / width };
    });
  }

  viewAt(x, y) {
    const at = this.glass.tileIndex(x * this.dpr, y * this.dpr);
    return at < 0 ? null : { at, plane: this.glass.screenSlices[at].axCorSag };
  }

  // The share of each axis at a point, null outside of a slice.
  shareAt(x, y) {
    const view = this.viewAt(x, y);
    if (!view || view.plane > 2) return null;
    const share = [...this.glass.screenXY2TextureFrac(x * this.dpr, y * this.dpr, view.at)];
    return share[0] < 0 ? null : share;
  }

  // Where the share of each axis is seen in a plane, [x, y]; null where that plane is not shown.
  spotOf(share, plane) {
    const tile = this.glass.screenSlices.find((each) => each.axCorSag === plane);
    if (!tile) return null;
    const mm = this.glass.frac2mm(share);
    const [left, top, width, height] = tile.leftTopWidthHeight;
    const [across, up] = ACROSS[plane].map((axis, n) => (mm[axis] - tile.leftTopMM[n]) / tile.fovMM[n]);
    return [(left + across * width) / this.dpr, (top + (1 - up) * height) / this.dpr];
  }

  // Zoom by a factor; what lies under the point stays there, and in other views the crosshair does.
  zoomAt(factor, x, y) {
    const { scene } = this.glass;
    const before = this.zoom;
    const after = Math.min(MOST, Math.max(LEAST, before * factor));
    const still = [...this.glass.frac2mm(scene.crosshairPos)].slice(0, 3);
    const view = this.viewAt(x, y);
    if (view && view.plane < 3) {
      const tile = this.glass.screenSlices[view.at];
      const [left, top, width, height] = tile.leftTopWidthHeight;
      const shares = [(x * this.dpr - left) / width, 1 - (y * this.dpr - top) / height];
      ACROSS[view.plane].forEach((axis, n) => {
        still[axis] = tile.leftTopMM[n] + shares[n] * tile.fovMM[n];
      });
    }
    const pan = still.map((place, axis) => scene.pan2Dxyzmm[axis] + place * (before - after));
    this.put([...pan, after]);
  }

  // Move what is shown in the view at a point by some pixels.
  panBy(dx, dy, x, y) {
    const view = this.viewAt(x, y);
    if (!view || view.plane > 2) return;
    const tile = this.glass.screenSlices[view.at];
    const [, , width, height] = tile.leftTopWidthHeight;
    const pan = [...this.glass.scene.pan2Dxyzmm];
    const shares = [(dx * this.dpr) / width, (-dy * this.dpr) / height];
    ACROSS[view.plane].forEach((axis, n) => {
      pan[axis] += this.zoom * shares[n] * tile.fovMM[n];
    });
    this.put(pan);
  }

  reset() {
    this.put([0, 0, 0, 1]);
  }

  put(pan) {
    this.glass.scene.pan2Dxyzmm = pan;
    this.glass.scene.volScaleMultiplier = pan[3]; // the head in 3D
    this.glass.drawScene();
  }
}
