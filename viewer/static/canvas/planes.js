// Three planes and a render in four quarters, or one of them alone.

export const VIEWS = ["axial", "sagittal", "coronal", "render"]; // in the order of their quarters
const QUARTERS = [[0, 0], [0.5, 0], [0, 0.5], [0.5, 0.5]];
const GAP = 0.002; // of the canvas, between two quarters
const SIDE = 0.5 - GAP;

const typeOf = (glass, name) => ({
  axial: glass.sliceTypeAxial,
  coronal: glass.sliceTypeCoronal,
  sagittal: glass.sliceTypeSagittal,
  render: glass.sliceTypeRender,
})[name];

// Draw what is asked for: "all" or one of VIEWS.
export function arrange(glass, name) {
  if (name !== "all") {
    glass.clearCustomLayout();
    glass.setSliceType(typeOf(glass, name));
    return;
  }
  glass.setSliceType(glass.sliceTypeMultiplanar);
  glass.setCustomLayout(VIEWS.map((each, at) => {
    const [x, y] = QUARTERS[at];
    return { sliceType: typeOf(glass, each), position: [x && x + GAP, y && y + GAP, SIDE, SIDE] };
  }));
}

// The next one after `name`: all four, each alone, all four again.
export function nextView(name) {
  const order = ["all", ...VIEWS];
  return order[(order.indexOf(name) + 1) % order.length];
}
