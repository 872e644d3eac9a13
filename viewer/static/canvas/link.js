// Two scans that scroll together: by place where they are registered, else by relative slice, or as a
// person has locked them by hand.

import { text } from "../sentences.js";

export class Link {
  // later, earlier: { figure, scene }; matrix: RAS mm of the later scan to those of the earlier;
  // words: how the server calls it.
  constructor(later, earlier, matrix, words) {
    Object.assign(this, { later, earlier, matrix, isBusy: false, isApart: false, locked: null });
    this.isByPlace = Boolean(matrix && later.scene.place && earlier.scene.place);
    this.words = matrix && !this.isByPlace ? text("script_canvas.needs_webgl") : words;
    this.ear = new AbortController();
    const follow = (moved, other, there) => {
      moved.figure.addEventListener("moved", () => this.follow(moved.scene, other.scene, there), { signal: this.ear.signal });
    };
    follow(later, earlier, matrix);
    follow(earlier, later, matrix && inverse(matrix));
    this.follow(later.scene, earlier.scene, matrix);
  }

  // Each scrolls by itself again.
  part() {
    this.ear.abort();
  }

  // Let each scroll by itself, or lock both as they are now; gives back what to tell.
  apart(isWanted) {
    this.isApart = isWanted;
    if (isWanted) return text("script_canvas.apart");
    this.locked = [this.later, this.earlier].map(({ scene }) => [scene, scene.slice]);
    return text("script_canvas.locked", { offset: this.offsetWords() });
  }

  // By how much the later scan is ahead, from the lowest slice of each.
  offsetWords() {
    const [[later, at], [earlier, beside]] = this.locked;
    const [mm, other] = [betweenOf(later), betweenOf(earlier)];
    const signed = (value, digits) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
    const inMm = mm && other ? signed(at * mm - beside * other, 1) : null;
    if (inMm && Math.abs(mm / other - 1) > SAME) return text("script_canvas.offset_mm", { mm: inMm });
    const slices = signed(at - beside, 0);
    return inMm ? text("script_canvas.offset_both", { slices, mm: inMm }) : text("script_canvas.offset_slices", { slices });
  }

  follow(moved, other, there) {
    if (this.isBusy || this.isApart) return;
    this.isBusy = true;
    if (this.locked) other.show(this.besideLocked(moved, other));
    else if (this.isByPlace) other.goTo(apply(there, moved.place));
    else other.show(sameShare(moved, other));
    this.isBusy = false;
  }

  // As many mm on from where the other one was locked; slices, where one of them has no scale.
  besideLocked(moved, other) {
    const from = new Map(this.locked);
    const mm = betweenOf(moved) && betweenOf(other);
    const by = (moved.slice - from.get(moved)) * (mm ? betweenOf(moved) / betweenOf(other) : 1);
    return Math.min(other.count - 1, Math.max(0, from.get(other) + Math.round(by)));
  }
}

const SAME = 0.02; // share by which slices count as equally far apart

// mm from one slice to the next; undefined without a scale.
function betweenOf({ view }) {
  return view.spacing?.[view.axis] || undefined;
}

function sameShare(moved, other) {
  return Math.min(other.count - 1, Math.floor(((moved.slice + 0.5) / moved.count) * other.count));
}

function apply(matrix, place) {
  return matrix.slice(0, 3).map((row) => row[0] * place[0] + row[1] * place[1] + row[2] * place[2] + row[3]);
}

// Of a turn and a shift: turn back, then shift back.
function inverse(matrix) {
  const turned = [0, 1, 2].map((row) => [0, 1, 2].map((column) => matrix[column][row]));
  const shift = turned.map((row) => -row.reduce((sum, each, at) => sum + each * matrix[at][3], 0));
  return [...turned.map((row, at) => [...row, shift[at]]), [0, 0, 0, 1]];
}
