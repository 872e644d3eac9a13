// Lines and words over a picture, white in black, to be seen on any one.

const SVG = "http://www.w3.org/2000/svg";
const CAP = 5; // pixels of the screen, to each side of a line's end
const LINE = 18; // pixels from one line of words to the next

export function make(name, values = {}) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  return made;
}

// A layer of its own over a stage; hidden from readers of the screen: all of it stands beside too.
export function layerOn(stage, kind) {
  const layer = make("svg", { class: `drawn ${kind}`, "aria-hidden": "true" });
  stage.append(layer);
  return layer;
}

// A shape twice: as it is, over a wider one in black.
export function outlined(shape) {
  const around = shape.cloneNode();
  around.classList.add("around");
  const both = make("g");
  both.append(around, shape);
  return both;
}

// A line with a bar at both ends.
export function line([start, end]) {
  const [x, y] = [end[0] - start[0], end[1] - start[1]];
  const length = Math.hypot(x, y) || 1;
  const bar = [(-y / length) * CAP, (x / length) * CAP];
  const ends = [start, end].map((at) => `M${at[0] - bar[0]} ${at[1] - bar[1]}L${at[0] + bar[0]} ${at[1] + bar[1]}`);
  return outlined(make("path", { d: `M${start}L${end}${ends.join("")}` }));
}

// Lines of words below the lowest of some spots.
export function label(spots, words) {
  const [x, y] = spots.reduce((low, spot) => (spot[1] > low[1] ? spot : low));
  return words.map((each, at) => {
    const written = make("text", { x, y: y + 20 + at * LINE });
    written.textContent = each;
    return written;
  });
}
