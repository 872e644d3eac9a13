// What is done to a drawn mask: a round brush, filling between slices, growing and shrinking.

// Paint or clear along a line on a slice. from, to: (first, second) axis of the plane, in voxels,
// whose middles have whole numbers; width: mm.
export function stroke(mask, slice, from, to, width, isErasing) {
  const apart = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
  const steps = Math.max(1, Math.ceil(2 * apart));
  for (let step = 0; step <= steps; step++) {
    const share = step / steps;
    dab(mask, slice, [0, 1].map((each) => from[each] + share * (to[each] - from[each])), width, isErasing);
  }
}

// All voxels whose middle lies within half a width of the place, and that at the place itself.
function dab(mask, slice, place, width, isErasing) {
  const spacing = mask.plane.map((axis) => mask.spacing[axis]);
  const dims = mask.plane.map((axis) => mask.dims[axis]);
  const radius = width / 2;
  const own = place.map(Math.round);
  const low = [0, 1].map((each) => Math.max(0, Math.min(own[each], Math.ceil(place[each] - radius / spacing[each]))));
  const high = [0, 1].map((each) =>
    Math.min(dims[each] - 1, Math.max(own[each], Math.floor(place[each] + radius / spacing[each]))));
  for (let second = low[1]; second <= high[1]; second++) {
    for (let first = low[0]; first <= high[0]; first++) {
      const away = Math.hypot((first - place[0]) * spacing[0], (second - place[1]) * spacing[1]);
      if (away > radius && (first !== own[0] || second !== own[1])) continue;
      const at = mask.at(first, second, slice);
      if (isErasing) mask.clear(at);
      else mask.mark(at);
    }
  }
}

// By one pixel to each of its four sides, on every slice.
export function grow(mask) {
  for (const at of chosen(mask)) for (const beside of around(mask, at)) mask.mark(beside);
}

export function shrink(mask) {
  const outermost = chosen(mask).filter((at) => around(mask, at).some((beside) => !mask.isChosen(beside)));
  for (const at of outermost) mask.clear(at);
}

function chosen(mask) {
  const found = [];
  for (let at = 0; at < mask.labels.length; at++) if (mask.labels[at] && mask.isChosen(at)) found.push(at);
  return found;
}

// The voxels beside one on the same slice; there are none beyond the edge.
function around(mask, at) {
  return mask.plane.flatMap((axis) => {
    const place = mask.along(at, axis);
    return [place > 0 && at - mask.steps[axis], place < mask.dims[axis] - 1 && at + mask.steps[axis]];
  }).filter((beside) => beside !== false);
}

// Fill each gap between two slices on which the chosen lesion is marked: there, the signed distance to
// its outline is taken to change evenly (Raya and Udupa, IEEE Trans Med Imaging 1990). What lies beside
// each other on the plane, seen through all slices, is filled each by itself.
export function fillBetween(mask) {
  for (const part of parts(mask, chosen(mask))) {
    const { slices, box } = part;
    for (let next = 1; next < slices.length; next++) {
      if (slices[next] - slices[next - 1] > 1) fillGap(mask, part, box, slices[next - 1], slices[next]);
    }
  }
}

// The chosen voxels by the connected parts of their shadow on the plane.
function parts(mask, all) {
  const [across, down] = mask.plane;
  const width = mask.dims[across];
  const spot = (at) => mask.along(at, across) + mask.along(at, down) * width;
  const slices = new Map(); // of each spot of the shadow
  for (const at of all) {
    const own = slices.get(spot(at)) ?? slices.set(spot(at), new Set()).get(spot(at));
    own.add(mask.along(at, mask.axis));
  }
  const found = [];
  const left = new Set(slices.keys());
  for (const first of slices.keys()) {
    if (!left.delete(first)) continue;
    const shadow = [first];
    for (const each of shadow) {
      const x = each % width;
      for (const dx of [-1, 0, 1]) {
        if (x + dx < 0 || x + dx >= width) continue;
        for (const dy of [-1, 0, 1]) {
          const beside = each + dx + dy * width;
          if (left.delete(beside)) shadow.push(beside);
        }
      }
    }
    found.push({
      shadow: new Set(shadow),
      slices: [...new Set(shadow.flatMap((each) => [...slices.get(each)]))].sort((one, other) => one - other),
      box: [
        reach(shadow.map((each) => each % width), width),
        reach(shadow.map((each) => Math.floor(each / width)), mask.dims[down]),
      ],
      spot,
    });
  }
  return found;
}

// First and last place, with one more to each side.
function reach(places, length) {
  let [low, high] = [length, 0];
  for (const place of places) [low, high] = [Math.min(low, place), Math.max(high, place)];
  return [Math.max(0, low - 1), Math.min(length - 1, high + 1)];
}

function fillGap(mask, part, box, low, high) {
  const [below, above] = [low, high].map((slice) => signedDistances(mask, part, box, slice));
  for (let slice = low + 1; slice < high; slice++) {
    const share = (slice - low) / (high - low);
    const here = pixels(mask, box, slice);
    for (let pixel = 0; pixel < here.length; pixel++) {
      if ((1 - share) * below[pixel] + share * above[pixel] > 0) mask.mark(here[pixel]);
    }
  }
}

// The voxels of a slice within a box, row by row.
function pixels(mask, [[left, right], [top, bottom]], slice) {
  const found = [];
  for (let second = top; second <= bottom; second++) {
    for (let first = left; first <= right; first++) found.push(mask.at(first, second, slice));
  }
  return found;
}

// In mm, above 0 inside.
function signedDistances(mask, { shadow, spot }, box, slice) {
  const inside = pixels(mask, box, slice).map((at) => mask.isChosen(at) && shadow.has(spot(at)));
  const toInside = distances(mask, box, inside);
  const toOutside = distances(mask, box, inside.map((each) => !each));
  return inside.map((isInside, pixel) => (isInside ? toOutside[pixel] : -toInside[pixel]));
}

// From each pixel to the nearest that counts, in mm: along each axis the lower envelope of parabolas
// (Felzenszwalb and Huttenlocher, Theory of Computing 2012).
function distances(mask, box, counts) {
  const [width, height] = box.map(([low, high]) => high - low + 1);
  const [across, down] = mask.plane.map((axis) => mask.spacing[axis]);
  const squared = Float64Array.from(counts, (each) => (each ? 0 : 1e12));
  for (let row = 0; row < height; row++) along(squared, row * width, 1, width, across);
  for (let column = 0; column < width; column++) along(squared, column, width, height, down);
  return squared.map(Math.sqrt);
}

function along(values, start, step, length, spacing) {
  const given = Float64Array.from({ length }, (_, at) => values[start + at * step]);
  const place = (at) => at * spacing;
  const lowest = [0];
  const begins = [-Infinity];
  const crossing = (at, before) =>
    (given[at] + place(at) ** 2 - given[before] - place(before) ** 2) / (2 * (place(at) - place(before)));
  for (let at = 1; at < length; at++) {
    while (crossing(at, lowest.at(-1)) <= begins.at(-1)) {
      lowest.pop();
      begins.pop();
    }
    begins.push(crossing(at, lowest.at(-1)));
    lowest.push(at);
  }
  for (let at = 0, part = 0; at < length; at++) {
    while (part + 1 < lowest.length && begins[part + 1] < place(at)) part++;
    values[start + at * step] = (place(at) - place(lowest[part])) ** 2 + given[lowest[part]];
  }
}
