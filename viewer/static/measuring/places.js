// Where the voxels of a scan's file are seen on its canvas, and which one lies under a point.

import { THROUGH } from "../canvas/camera.js";

export class Places {
  constructor(scene) {
    this.scene = scene;
    this.axes = [...scene.volume.permRAS]; // of R, A and S the file's axis from 1, negative where it runs back
    this.counts = scene.volume.dimsRAS.slice(1, 4);
  }

  // Along i, j, k of the file, whole in the middle of a voxel, on the slice that is shown; null
  // outside of the plane of acquisition.
  voxelAt(x, y) {
    const { scene } = this;
    const view = scene.camera.viewAt(x, y);
    const share = view && THROUGH[view.plane] === scene.axis ? scene.camera.shareAt(x, y) : null;
    if (!share) return null;
    const voxel = [0, 0, 0];
    share.forEach((each, axis) => {
      const count = this.counts[axis];
      const at = axis === scene.axis ? scene.slice : each * count - 0.5;
      voxel[Math.abs(this.axes[axis]) - 1] = this.axes[axis] < 0 ? count - 1 - at : at;
    });
    return voxel;
  }

  // In CSS pixels of the canvas; null where the plane of acquisition is not shown.
  spotOf(voxel) {
    const share = this.axes.map((axis, each) => {
      const at = voxel[Math.abs(axis) - 1];
      return ((axis < 0 ? this.counts[each] - 1 - at : at) + 0.5) / this.counts[each];
    });
    return this.scene.camera.spotOf(share, THROUGH.indexOf(this.scene.axis));
  }

  // mm between two voxels; null without a scale.
  apart(one, other) {
    const { spacing } = this.scene.view;
    if (!spacing) return null;
    return Math.hypot(...one.map((each, axis) => (each - other[axis]) * spacing[axis]));
  }
}
