// One scan on a page: its canvas, or pictures where that cannot be, with slider and wheel.

import { Annotations } from "./annotations.js";
import { text } from "../sentences.js";
import { Slices } from "./slices.js";
import { Volume, fetchFiles } from "./volume.js";

const parsed = new Promise((resolve) => {
  if (document.readyState !== "loading" && window.niivue) resolve();
  else document.addEventListener("DOMContentLoaded", resolve);
});

// Open the scan of a figure (see scan_canvas.html); what it gives is a Volume or a Slices.
export async function openView(figure) {
  const view = JSON.parse(figure.dataset.view);
  const scene = (view.image && (await canvasScene(figure, view))) || pictureScene(figure, view);
  joinSlider(figure, scene);
  new Annotations(figure, scene, view);
  figure.dataset.shown = String(Math.round(performance.now()));
  return scene;
}

async function canvasScene(figure, view) {
  const canvas = figure.querySelector(".glass");
  const files = fetchFiles(view);
  files.catch(() => {}); // told below
  await parsed;
  await seen(figure.querySelector(".still"));
  canvas.hidden = false;
  try {
    const scene = await Volume.open(canvas, view, files);
    await new Promise(requestAnimationFrame);
    figure.querySelector(".still").hidden = true;
    figure.dataset.drawn = "canvas";
    return scene;
  } catch (error) {
    console.warn("Slices are drawn by the server:", error.message);
    canvas.hidden = true;
    return null;
  }
}

// The still picture is what one sees first: starting WebGL would hold it up.
async function seen(still) {
  await still.decode().catch(() => {}); // a picture that cannot be read holds up nothing
  await new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
}

function pictureScene(figure, view) {
  const scene = new Slices(figure.querySelector(".still"), view);
  figure.dataset.drawn = "pictures";
  return scene;
}

function joinSlider(figure, scene) {
  const slider = figure.querySelector(".slice");
  const where = figure.querySelector(".where");
  const { areas } = JSON.parse(figure.dataset.view);
  const tell = () => {
    slider.value = scene.slice + 1;
    const key = areas[scene.slice] ? "script_canvas.slice_tumor" : "script_canvas.slice";
    where.textContent = text(key, { slice: scene.slice + 1, count: scene.count });
    slider.setAttribute("aria-valuetext", where.textContent);
    scene.ondraw();
    figure.dispatchEvent(new Event("moved"));
  };
  slider.addEventListener("input", () => scene.show(slider.value - 1));
  scene.onmove = tell;
  figure.querySelector(".scroller").hidden = scene.count < 2;
  tell();
}
