// Two scans side by side: both canvases, scrolled together.

import { link, linkWords } from "./canvas/link.js";
import { DisplayOptions } from "./canvas/display_options.js";
import { openView } from "./canvas/view.js";

const pair = document.querySelector(".pair");
const figures = [...pair.querySelectorAll(".view[data-view]")];
const scenes = await Promise.all(figures.map(openView));
const open = figures.map((figure, at) => ({ figure, scene: scenes[at] }));
new DisplayOptions(document.querySelector(".tools"), document.querySelector(".told"), () => [...scenes].reverse());

if (open.length === 2) {
  const [earlier, later] = open;
  const matrix = JSON.parse(pair.dataset.matrix);
  link(later, earlier, matrix);
  const words = linkWords(later, earlier, matrix, pair.dataset.words);
  pair.querySelector(".aligned").textContent = words;
}
