// The growth curve of a patient: drawn by uPlot from the rows of the table beside it.

import { text } from "./sentences.js";

const HEIGHT = 300; // pixels
const DAY = 86400; // seconds
const WHISKER = 5; // pixels, half the width of a range's ends

const chart = document.getElementById("growth-chart");
if (chart) draw(chart, document.getElementById(chart.dataset.table));

function draw(place, table) {
  const { points, events } = rowsOf(table);
  const plot = new uPlot(options(place, points, events), columns(points), place);
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw(false, true));
}

function rowsOf(table) {
  const rows = [...table.querySelectorAll("tr[data-at]")].map((row) => row.dataset);
  const number = (text) => (text === undefined ? null : Number(text));
  const points = rows
    .filter((row) => row.event === undefined)
    .map((row) => ({ at: seconds(row.at), ml: Number(row.ml), low: number(row.low), high: number(row.high) }));
  const events = rows
    .filter((row) => row.event !== undefined)
    .map((row) => ({ at: seconds(row.at), label: row.event }));
  return { points, events };
}

// A moment without a zone is read as if it were UTC, and shown so: the day stays as it was written.
function seconds(moment) {
  return Date.parse(moment.includes("T") ? `${moment}Z` : `${moment}T00:00Z`) / 1000;
}

function columns(points) {
  return [points.map((point) => point.at), points.map((point) => point.ml)];
}

function options(place, points, events) {
  const times = [...points, ...events].map((each) => each.at);
  const margin = Math.max(DAY, (Math.max(...times) - Math.min(...times)) * 0.06);
  const top = Math.max(...points.map((point) => point.high ?? point.ml), 1) * 1.15;
  return {
    width: place.clientWidth,
    height: HEIGHT,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "UTC"),
    cursor: { show: false },
    padding: [null, 40, null, null],
    scales: {
      x: { range: [Math.min(...times) - margin, Math.max(...times) + margin] },
      y: { range: [0, top] },
    },
    axes: [{ ...axis(), space: 90, values: (_, times) => times.map(dayWords) }, { ...axis(), label: text("script_chart.ml"), size: 56 }],
    series: [{}, { stroke: color("--pico-primary"), width: 2, points: { show: true, size: 8, fill: color("--pico-primary") } }],
    hooks: { draw: [(plot) => drawRanges(plot, points), (plot) => drawEvents(plot, events)] },
  };
}

function dayWords(at) {
  return new Date(at * 1000).toISOString().slice(0, 10);
}

function axis() {
  return {
    stroke: color("--pico-color"),
    grid: { stroke: color("--pico-muted-border-color"), width: 1 },
    ticks: { stroke: color("--pico-muted-border-color"), width: 1 },
  };
}

// A function, so that a redraw takes the colours that the page has then.
function color(name) {
  return () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function drawRanges(plot, points) {
  const ink = plot.ctx;
  const half = WHISKER * devicePixelRatio;
  ink.save();
  ink.strokeStyle = color("--pico-primary")();
  ink.lineWidth = 1.5 * devicePixelRatio;
  for (const point of points.filter((each) => each.low !== null)) {
    const x = plot.valToPos(point.at, "x", true);
    const [low, high] = [point.low, point.high].map((ml) => plot.valToPos(ml, "y", true));
    ink.beginPath();
    ink.moveTo(x, low);
    ink.lineTo(x, high);
    for (const y of [low, high]) {
      ink.moveTo(x - half, y);
      ink.lineTo(x + half, y);
    }
    ink.stroke();
  }
  ink.restore();
}

function drawEvents(plot, events) {
  const ink = plot.ctx;
  const { left, top, width, height } = plot.bbox;
  ink.save();
  ink.font = `${12 * devicePixelRatio}px sans-serif`;
  ink.textBaseline = "top";
  ink.strokeStyle = ink.fillStyle = color("--pico-color")();
  ink.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  events.forEach((event, number) => {
    const x = plot.valToPos(event.at, "x", true);
    ink.beginPath();
    ink.moveTo(x, top);
    ink.lineTo(x, top + height);
    ink.stroke();
    const isRight = x > left + width / 2; // the words stand where there is room
    ink.textAlign = isRight ? "right" : "left";
    const gap = 4 * devicePixelRatio * (isRight ? -1 : 1);
    ink.fillText(shortened(event.label), x + gap, top + number * 16 * devicePixelRatio);
  });
  ink.restore();
}

function shortened(label) {
  return label.length > 40 ? `${label.slice(0, 39)}…` : label;
}
