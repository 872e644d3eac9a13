// Keeps a page live: listens to /live and tells the page by the event gliowatch:changed on its body.

import { text } from "./sentences.js";

const SILENCE = 25000; // milliseconds without a word after which the line is taken for lost
const AGAIN = 5000; // milliseconds until the next try after a refusal
const word = document.getElementById("live");
let source = null;
let heard = 0;
let timer = 0;

function say(words) {
  if (word.textContent !== words) word.textContent = words;
}

function changed() {
  heard = Date.now();
  say("");
  document.body.dispatchEvent(new CustomEvent("gliowatch:changed"));
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function open() {
  close();
  heard = Date.now();
  source = new EventSource("/live");
  source.addEventListener("changed", changed);
  source.addEventListener("alive", () => { heard = Date.now(); });
  source.addEventListener("crowded", () => {
    close();
    say(text("script_live.crowded"));
  });
  source.addEventListener("error", lost);
}

function lost() {
  say(text("script_live.lost"));
  if (source?.readyState === EventSource.CLOSED) { // refused; a lost line the browser tries itself
    close();
    timer = setTimeout(open, AGAIN);
  }
}

function watch() {
  if (source && Date.now() - heard > SILENCE) {
    say(text("script_live.lost"));
    open();
  }
}

// A page that nobody sees holds no line: browsers keep few of them to one server.
function follow() {
  if (document.visibilityState === "visible") open();
  else close();
}

if (word) {
  document.addEventListener("visibilitychange", follow);
  window.addEventListener("pagehide", close);
  setInterval(watch, AGAIN);
  follow();
}
