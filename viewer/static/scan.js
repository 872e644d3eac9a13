// The page of one scan: opens its canvas, jumps to lesions, shows the scan before beside it.

import { Link } from "./canvas/link.js";
import { text } from "./sentences.js";
import { DisplayOptions } from "./canvas/display_options.js";
import { openView } from "./canvas/view.js";
import { letShowDiameters } from "./drawing/diameters.js";
import { letDraw } from "./drawing/bench.js";

const page = document.querySelector(".scan-page");
const figure = page.querySelector(".views > .view[data-view]");


let scene = null;

function begin(opened) {
  scene = opened;
  const open = [{ figure, scene }];
  const bar = page.querySelector(".tools");
  const tools = new DisplayOptions(bar, page.querySelector(".told"), () => open.map((each) => each.scene));
  const rows = [...page.querySelectorAll("tr.lesion[data-slice]")];
  scene.chosen = rows.length ? JSON.parse(rows[0].dataset.centre) : null; // the largest comes first
  for (const row of rows) letJump(row, scene);
  if (tools.at("beside")) letBeside(tools, open);
  letShowDiameters(page, scene);
  letDraw(page, figure, scene);
}

// The number of a lesion's slice becomes a button; a click anywhere on the row does the same.
function letJump(row, scene) {
  const slice = Number(row.dataset.slice);
  const centre = JSON.parse(row.dataset.centre);
  const cell = row.querySelector(".jump");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = cell.textContent;
  button.setAttribute("aria-label", text("script_canvas.show_slice", { slice: cell.textContent }));
  cell.replaceChildren(button);
  row.addEventListener("click", () => {
    scene.chosen = centre;
    if (centre && scene.large) scene.goTo(centre);
    else if (centre && scene.place) scene.goTo(centre, slice);
    else scene.show(slice);
    figure.scrollIntoView({ block: "nearest" });
  });
}

function letBeside(tools, open) {
  const holder = page.querySelector(".prior");
  let link = null;
  tools.onToggle("beside", (scene, wanted) => {
    holder.hidden = !wanted;
    holder.parentElement.classList.toggle("two", wanted);
    if (!wanted) {
      link?.part();
      tools.pairUp(null);
      open.length = 1;
      return "";
    }
    openPrior(holder, open, tools).then((made) => { link = made; });
    return "";
  });
}

let prior = null;
async function openPrior(holder, open, tools) {
  if (!prior) {
    holder.append(holder.querySelector("template").content.cloneNode(true));
    const figure = holder.querySelector(".view");
    prior = { figure, scene: await openView(figure) };
  }
  open[1] = prior;
  tools.adopt(prior.scene);
  const matrix = JSON.parse(holder.dataset.matrix);
  const link = new Link(open[0], prior, matrix, holder.dataset.words);
  tools.pairUp(link);
  tools.tell(link.words);
  return link;
}

// The page stays as it is: what someone reads must not change under the eyes.
function watchForNewer() {
  let known = null; // a number that changes with what is measured by hand
  window.addEventListener("gliowatch:changed", async () => {
    const { scan, newest } = page.dataset;
    const answer = await fetch(`/scans/${scan}/newest`);
    if (!answer.ok) return;
    const { revision, measured } = await answer.json();
    page.querySelector(".come").hidden = revision <= Number(newest);
    if (known !== null && measured !== known) scene?.keeper?.load().catch(() => {});
    known = measured;
  }, true);
}

function letPrint() {
  const button = page.querySelector("button.print");
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// Not the document scrolls here, so a browser does not know what these keys mean before a click.
function letPageDown() {
  const main = document.querySelector("main");
  const ways = { PageDown: 0.9, PageUp: -0.9 };
  document.addEventListener("keydown", (event) => {
    if (event.target !== document.body || !(event.key in ways)) return;
    event.preventDefault();
    main.scrollBy({ top: ways[event.key] * main.clientHeight });
  });
}

if (figure) openView(figure).then(begin);
watchForNewer();
letPrint();
letPageDown();
