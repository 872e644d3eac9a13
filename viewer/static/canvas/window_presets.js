// Window presets: what of the head's brightness is black and what is white.

import { SHARES } from "./window_shares.js"; // made by the viewer from daemon/pipeline/window_presets.py

const MOST = 200000; // voxels that are looked at
const HEAD_LEVEL = 0.2; // of the bright end: above it is head, below it is air

// The values of background and of the brightest half percent of the head.
export function brightnessOf(volume) {
  const { img, hdr } = volume;
  const step = Math.max(1, Math.floor(img.length / MOST));
  const values = [];
  for (let at = 0; at < img.length; at += step) {
    const value = img[at] * hdr.scl_slope + hdr.scl_inter;
    if (Number.isFinite(value)) values.push(value);
  }
  const sorted = Float64Array.from(values).sort();
  if (!sorted.length) return { black: 0, white: 1 };
  const black = sorted[Math.floor(0.01 * (sorted.length - 1))];
  const bright = sorted[Math.floor(0.995 * (sorted.length - 1))];
  const head = sorted.filter((value) => value > black + HEAD_LEVEL * (bright - black));
  const white = head.length ? head[Math.floor(0.995 * (head.length - 1))] : bright;
  return { black, white: white > black ? white : black + 1 };
}

// The two ends of a preset, 1 to 5.
export function windowOf({ black, white }, preset) {
  return SHARES[preset].map((share) => black + share * (white - black));
}
