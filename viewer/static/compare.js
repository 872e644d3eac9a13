// Two scans side by side: both canvases, scrolled together.

import { Link } from "./canvas/link.js";
import { DisplayOptions } from "./canvas/display_options.js";
import { openView } from "./canvas/view.js";

const pair = document.querySelector(".pair");
const figures = [...pair.querySelectorAll(".view[data-view]")];
const scenes = await Promise.all(figures.map(openView));
const open = figures.map((figure, at) => ({ figure, scene: scenes[at] }));
const tools = new DisplayOptions(document.querySelector(".tools"), document.querySelector(".told"), () => [...scenes].reverse());

if (open.length === 2) {
  const [earlier, later] = open;
  const matrix = JSON.parse(pair.dataset.matrix);
  const link = new Link(later, earlier, matrix, pair.dataset.words);
  tools.pairUp(link);
  pair.querySelector(".aligned").textContent = link.words;
}
