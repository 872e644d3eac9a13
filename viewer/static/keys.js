// Keys: an element with data-key="x" is clicked, or focused if one types into it, when x is pressed.
// The dialog of ? lists all of them that have data-key-help; data-key-shown is for the list alone.

const dialog = document.getElementById("keys");
const TYPING = "input:not([type=range]), textarea, select, [contenteditable], dialog";

function isTyping(target) {
  return target instanceof Element && target.closest(TYPING) !== null;
}

function owner(key) {
  const wanted = key.length === 1 ? key.toLowerCase() : key;
  return document.querySelector(`[data-key="${CSS.escape(wanted)}"]:not(:disabled)`);
}

function press(event) {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const element = owner(event.key);
  if (!element) return;
  event.preventDefault();
  if (element.matches("input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select")) {
    element.focus();
    element.select?.();
  } else {
    element.click();
  }
}

function line(element) {
  const key = document.createElement("kbd");
  key.textContent = element.dataset.keyShown ?? element.dataset.key;
  const name = document.createElement("dt");
  name.append(key);
  const help = document.createElement("dd");
  help.textContent = element.dataset.keyHelp;
  return [name, help];
}

// What had the focus before the dialog may be another element afterwards: rows change in place.
let before = null;

function showKeys() {
  const focused = document.activeElement;
  before = { focused, row: focused?.closest("tr[id]")?.id };
  const shown = new Map();
  for (const element of document.querySelectorAll("[data-key-help]")) {
    const key = element.dataset.keyShown ?? element.dataset.key;
    if (!shown.has(key)) shown.set(key, element);
  }
  dialog.querySelector("dl").replaceChildren(...[...shown.values()].flatMap(line));
  dialog.showModal();
}

function returnFocus() {
  if (before.focused.isConnected || !before.row) return;
  document.getElementById(before.row)?.querySelector("a.open, a")?.focus();
}

const button = document.getElementById("show-keys");
if (button && dialog) {
  button.hidden = false;
  button.addEventListener("click", showKeys);
  dialog.addEventListener("close", returnFocus);
  document.addEventListener("keydown", press);
}
