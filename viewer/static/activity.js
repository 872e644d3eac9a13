// Keeps a session open while somebody moves on a page that asks the server for nothing.

import { leaveQuietly } from "./kept_text.js";

const EVERY = 60000; // milliseconds between two words to the server
const EVENTS = ["pointerdown", "keydown", "wheel"];
let last = Date.now();

async function active(event) {
  if (!event.isTrusted || Date.now() - last < EVERY) return;
  last = Date.now();
  const csrf = JSON.parse(document.body.getAttribute("hx-headers"));
  const answer = await fetch("/activity", { method: "POST", headers: csrf });
  if (answer.status !== 401) return; // else the session has ended
  const mayLeave = window.dispatchEvent(new Event("gliowatch:ended", { cancelable: true }));
  if (!mayLeave) return;
  leaveQuietly(); // the page asks to log in, and keeps what was typed
  location.reload();
}

for (const name of EVENTS) document.addEventListener(name, active, { passive: true });
