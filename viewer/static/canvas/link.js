// Two scans that scroll together: by place where they are registered, else by relative slice.

import { text } from "../sentences.js";

// What to say of two scans that are linked. words: how the server calls it.
export function linkWords(later, earlier, matrix, words) {
  return matrix && !(later.scene.place && earlier.scene.place) ? text("script_canvas.needs_webgl") : words;
}

// later, earlier: { figure, scene }; matrix: RAS mm of the later scan to those of the earlier.
// Gives back a function that parts them again.
export function link(later, earlier, matrix) {
  let busy = false;
  const aligned = matrix && later.scene.place && earlier.scene.place;
  const follow = (moved, other, there) => () => {
    if (busy) return;
    busy = true;
    if (aligned) other.scene.goTo(apply(there, moved.scene.place));
    else other.scene.show(sameShare(moved.scene, other.scene));
    busy = false;
  };
  const onLater = follow(later, earlier, matrix);
  const onEarlier = follow(earlier, later, matrix && inverse(matrix));
  later.figure.addEventListener("moved", onLater);
  earlier.figure.addEventListener("moved", onEarlier);
  onLater();
  return () => {
    later.figure.removeEventListener("moved", onLater);
    earlier.figure.removeEventListener("moved", onEarlier);
  };
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
