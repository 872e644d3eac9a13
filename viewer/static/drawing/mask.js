// A mask that somebody draws: labels of lesions on the scan's grid along R, A, S, with undo.

const MOST_UNDONE = 100;
export const ALL = 0; // in place of a lesion's label: all of them

// Places of a volume's voxels in its file, from those along R, A, S (as NiiVue tells both).
export function filePlaces({ dimsRAS, img2RASstep, img2RASstart }) {
  const [, width, height, depth] = dimsRAS;
  const [right, front, up] = img2RASstep;
  const places = new Int32Array(width * height * depth);
  const first = img2RASstart[0] + img2RASstart[1] + img2RASstart[2];
  for (let z = 0, at = 0; z < depth; z++) {
    for (let y = 0; y < height; y++) {
      let place = first + y * front + z * up;
      for (let x = 0; x < width; x++, place += right) places[at++] = place;
    }
  }
  return places;
}

export class Mask {
  // dims: voxels along R, A, S; spacing: mm along them; axis: across the slices.
  constructor(dims, spacing, axis) {
    Object.assign(this, { dims, spacing, axis });
    this.steps = [1, dims[0], dims[0] * dims[1]];
    this.plane = [0, 1, 2].filter((each) => each !== axis);
    this.labels = new Uint8Array(dims[0] * dims[1] * dims[2]);
    this.count = 0;
    this.lesion = ALL;
    this.undone = [];
    this.change = null;
    this.numbering = 0; // grows whenever lesions are numbered anew
  }

  // Begin with marks in the order of their file.
  load(marks, places) {
    this.labels.fill(0);
    this.count = 0;
    for (let at = 0; at < places.length; at++) {
      if (marks[places[at]] > 0) {
        this.labels[at] = 1;
        this.count++;
      }
    }
    this.undone = [];
    this.lesion = ALL;
    this.number();
  }

  // 0 and 1 in the order of the file.
  marks(places) {
    const marks = new Uint8Array(places.length);
    for (let at = 0; at < places.length; at++) if (this.labels[at]) marks[places[at]] = 1;
    return marks;
  }

  // What belongs together until `end` is undone in one step.
  begin() {
    this.change ??= new Map();
  }

  // Gives back whether anything was changed.
  end() {
    const { change } = this;
    this.change = null;
    if (!change?.size) return false;
    this.undone.push({ change, numbering: this.numbering });
    if (this.undone.length > MOST_UNDONE) this.undone.shift();
    if (this.lesion === ALL) this.number();
    return true;
  }

  undo() {
    const last = this.undone.pop();
    if (!last) return;
    for (const [at, label] of last.change) {
      this.count += (label ? 1 : 0) - (this.labels[at] ? 1 : 0);
      this.labels[at] = label;
    }
    if (last.numbering === this.numbering && this.lesion !== ALL) return;
    this.lesion = ALL;
    this.number();
  }

  mark(at) {
    if (!this.labels[at]) this.put(at, this.lesion === ALL ? 1 : this.lesion);
  }

  // Of other lesions than the chosen one nothing is taken.
  clear(at) {
    if (this.isChosen(at)) this.put(at, 0);
  }

  isChosen(at) {
    return this.lesion === ALL ? this.labels[at] > 0 : this.labels[at] === this.lesion;
  }

  put(at, label) {
    if (!this.change.has(at)) this.change.set(at, this.labels[at]);
    this.count += (label ? 1 : 0) - (this.labels[at] ? 1 : 0);
    this.labels[at] = label;
  }

  get slices() {
    return this.dims[this.axis];
  }

  // Place of a pixel (first and second axis of the plane) on a slice.
  at(first, second, slice) {
    const [one, other] = this.plane;
    return first * this.steps[one] + second * this.steps[other] + slice * this.steps[this.axis];
  }

  // The place of a voxel along an axis.
  along(at, axis) {
    return Math.floor(at / this.steps[axis]) % this.dims[axis];
  }

  // Which lesions there are, and how many voxels each has.
  sizes() {
    const sizes = new Map();
    for (const label of this.labels) if (label) sizes.set(label, (sizes.get(label) ?? 0) + 1);
    return sizes;
  }

  // Number what touches, by a face, an edge or a corner, as one lesion: from 1, the largest first.
  number() {
    this.numbering++;
    const found = pieces(this.labels, this.dims, this.steps);
    found.sort((one, other) => other.length - one.length); // equal ones stay in order of place
    found.forEach((piece, order) => {
      for (const at of piece) this.labels[at] = Math.min(order + 1, 254);
    });
  }
}

function pieces(labels, dims, steps) {
  const seen = new Uint8Array(labels.length);
  const found = [];
  for (let start = 0; start < labels.length; start++) {
    if (!labels[start] || seen[start]) continue;
    const piece = [start];
    seen[start] = 1;
    for (let next = 0; next < piece.length; next++) {
      for (const at of around(piece[next], dims, steps)) {
        if (!labels[at] || seen[at]) continue;
        seen[at] = 1;
        piece.push(at);
      }
    }
    found.push(piece);
  }
  return found;
}

function* around(at, dims, steps) {
  const place = [at % dims[0], Math.floor(at / steps[1]) % dims[1], Math.floor(at / steps[2])];
  const reach = place.map((each, axis) => [Math.max(0, each - 1), Math.min(dims[axis] - 1, each + 1)]);
  for (let z = reach[2][0]; z <= reach[2][1]; z++) {
    for (let y = reach[1][0]; y <= reach[1][1]; y++) {
      for (let x = reach[0][0]; x <= reach[0][1]; x++) yield x + y * steps[1] + z * steps[2];
    }
  }
}
