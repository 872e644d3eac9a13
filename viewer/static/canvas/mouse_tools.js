// What the buttons of the mouse do: the tool of the left one, and those of the others.

import { keep, kept } from "./kept.js";

const KEYS = { s: "scroll", w: "window", h: "pan", z: "zoom", x: "crosshair", m: "length", g: "angle", q: "ellipse", t: "probe" };
const FIRST = { left: "scroll", middle: "pan", right: "window" };
const SIDES = ["left", "middle", "right"];
const TYPED = "input:not([type=range]), textarea, select, button, a, summary, [contenteditable]";

export class MouseTools {
  // bar: the tools over a canvas; changed: hears of a new tool of the left button.
  constructor(bar, changed) {
    Object.assign(this, { bar, changed, isHeld: false, left: FIRST.left });
    for (const button of bar.querySelectorAll("[data-tool]")) {
      button.addEventListener("click", () => this.toggle(button.dataset.tool));
    }
    for (const side of SIDES) {
      const choice = bar.querySelector(`[name=button-${side}]`);
      choice.value = kept(`button.${side}`, FIRST[side], [...choice.options].map((each) => each.value));
      choice.addEventListener("change", () => {
        keep(`button.${side}`, choice.value);
        if (side === "left") this.choose(choice.value);
      });
    }
    // Space would press again what the mouse has just pressed, while it is held to pan.
    bar.addEventListener("click", (event) => { if (event.detail) event.target.closest("button")?.blur(); });
    document.addEventListener("keydown", (event) => this.hold(event, true));
    document.addEventListener("keyup", (event) => this.hold(event, false));
    window.addEventListener("blur", () => { this.isHeld = false; });
    this.choose(this.usual);
  }

  // What the left button does where nothing else is chosen.
  get usual() {
    return this.bar.querySelector("[name=button-left]").value;
  }

  // The tool of a button of the mouse, by its number; a finger is the left one.
  of(button) {
    if (button === 0) return this.isHeld ? "pan" : this.left;
    return this.bar.querySelector(`[name=button-${SIDES[button] ?? "middle"}]`).value;
  }

  hold(event, isDown) {
    if (event.key !== " " || event.target.matches(TYPED)) return;
    event.preventDefault(); // would scroll the page
    this.isHeld = isDown;
  }

  choose(tool) {
    this.left = tool;
    for (const button of this.bar.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    }
    this.changed(tool);
  }

  // A second press of a tool gives the left button back its usual one.
  toggle(tool) {
    this.choose(this.left === tool ? this.usual : tool);
  }

  keys() {
    return Object.fromEntries(Object.entries(KEYS).map(([key, tool]) => [key, () => this.toggle(tool)]));
  }
}
