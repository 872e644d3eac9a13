// The chart of the agreement page: the Dice of each corrected mask over time, a colour and a shape a network.

import { text } from "./sentences.js";

const LIGHT = ["#0b5cad", "#a34700", "#1f6b3a", "#7a2a8c", "#5a6374"];
const DARK = ["#7ab8f5", "#f5a96b", "#7fd09b", "#d8a3e6", "#a4acba"];
const SHAPES = ["●", "■", "▲", "▼"]; // as drawn, so that no network goes by its colour alone
const RADIUS = 4; // CSS pixels
const HEIGHT = 270;

const isDark = window.matchMedia("(prefers-color-scheme: dark)");

function tracePath(path, shape, x, y, r) {
  if (shape === 0) path.arc(x, y, r, 0, 2 * Math.PI);
  if (shape === 1) path.rect(x - r, y - r, 2 * r, 2 * r);
  if (shape >= 2) {
    const down = shape === 2 ? 1 : -1;
    path.moveTo(x, y - down * r);
    path.lineTo(x + r, y + down * r);
    path.lineTo(x - r, y + down * r);
    path.closePath();
  }
}

function drawShape(shape, colour) {
  return (chart, seriesIndex) => {
    const context = chart.ctx;
    const radius = RADIUS * devicePixelRatio;
    context.save();
    context.fillStyle = colour;
    chart.data[0].forEach((at, i) => {
      const value = chart.data[seriesIndex][i];
      if (value === null || value === undefined) return;
      const path = new Path2D();
      tracePath(path, shape, chart.valToPos(at, "x", true), chart.valToPos(value, "y", true), radius);
      context.fill(path);
    });
    context.restore();
    return null;
  };
}

function dayOf(seconds) {
  return new Date(1000 * seconds).toISOString().slice(0, 10);
}

function columns(networks) {
  const times = [...new Set(networks.flatMap((each) => each.points.map(([at]) => at)))].sort((a, b) => a - b);
  const rows = networks.map((each) => {
    const found = new Map(each.points);
    return times.map((at) => found.get(at) ?? null);
  });
  return [times, ...rows];
}

function draw(place) {
  const networks = JSON.parse(place.dataset.points);
  const ink = getComputedStyle(place).color;
  const faint = getComputedStyle(place).getPropertyValue("--pico-muted-border-color");
  const colours = isDark.matches ? DARK : LIGHT;
  const axis = { stroke: ink, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint, width: 1 } };
  const series = networks.map((each, i) => ({
    stroke: colours[i % colours.length],
    fill: colours[i % colours.length],
    paths: () => null,
    points: { show: drawShape(i % SHAPES.length, colours[i % colours.length]) },
  }));
  const data = columns(networks);
  const day = 86400;
  const last = data[0][data[0].length - 1];
  const range = [data[0][0] - 3 * day, Math.max(last, Math.min(last + 3 * day, Date.now() / 1000))]; // no day to come
  place.replaceChildren();
  return new uPlot(
    {
      width: place.clientWidth,
      height: HEIGHT,
      scales: { x: { range }, y: { range: [0, 1] } },
      axes: [{ ...axis, space: 90, values: (_, ticks) => ticks.map(dayOf) }, { ...axis, label: text("script_chart.dice"), size: 50 }],
      legend: { show: false },
      cursor: { show: false },
      padding: [12, 16, 0, 0],
      series: [{}, ...series],
    },
    data,
    place,
  );
}

// Which shape and colour is which network; the numbers stand in the tables.
function list(place) {
  const networks = JSON.parse(place.dataset.points);
  const colours = isDark.matches ? DARK : LIGHT;
  const legend = document.createElement("ul");
  legend.className = "legend";
  networks.forEach((each, i) => {
    const line = document.createElement("li");
    const shape = document.createElement("span");
    shape.textContent = SHAPES[i % SHAPES.length];
    shape.style.color = colours[i % colours.length];
    line.append(shape, ` ${text("script_chart.weights", { name: each.name })}`);
    legend.append(line);
  });
  if (place.nextElementSibling?.matches(".legend")) place.nextElementSibling.remove();
  place.after(legend);
}

const place = document.getElementById("chart");
if (place) {
  let chart = draw(place);
  list(place);
  isDark.addEventListener("change", () => {
    chart = draw(place);
    list(place);
  });
  window.addEventListener("resize", () => chart.setSize({ width: place.clientWidth, height: HEIGHT }));
}
