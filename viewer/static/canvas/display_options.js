// How a scan is shown: the buttons over one or two of them, and the keys that do the same.

import { text } from "../sentences.js";
import { step } from "./view.js";

const MARKS = ["outline", "fill", "none"];
const TYPED = "input:not([type=range]), textarea, select, [contenteditable]";

export class DisplayOptions {
  // scenes: gives those that are open, the one that the arrow keys scroll first.
  constructor(bar, said, scenes) {
    Object.assign(this, { bar, said, scenes });
    bar.hidden = false;
    this.at("marks").addEventListener("change", () => this.applyMarks());
    this.at("opacity").addEventListener("input", () => this.applyMarks());
    this.at("window").addEventListener("change", () => this.applyWindow());
    this.onToggle("planes", (scene, wanted) => scene.planes(wanted));
    this.onToggle("measure", (scene, wanted) => scene.measure(wanted));
    document.addEventListener("keydown", (event) => this.onKey(event), true);
    for (const scene of scenes()) this.adopt(scene);
  }

  at(name) {
    return this.bar.querySelector(`[name=${name}]`);
  }

  // Let a scene that was opened later look like the others.
  adopt(scene) {
    scene.onmeasure = (length) => this.tellLength(length, scene.view.unit);
    this.applyMarks();
    this.applyWindow();
    for (const name of ["planes", "measure"]) {
      if (this.at(name).getAttribute("aria-pressed") === "true") scene[name](true);
    }
  }

  tell(words) {
    this.said.textContent = words;
  }

  tellLength(length, unit) {
    if (length > 0.05) this.tell(text("script_canvas.length", { length: length.toFixed(1), unit }));
  }

  applyMarks() {
    const kind = this.at("marks").value;
    this.at("opacity").disabled = kind !== "fill";
    for (const scene of this.scenes()) scene.marks(kind, this.at("opacity").value / 100);
  }

  applyWindow() {
    for (const scene of this.scenes()) scene.window(Number(this.at("window").value));
  }

  // A button that is in or out; `change` does it to a scene and gives what to tell, or ''.
  onToggle(name, change) {
    const button = this.at(name);
    button.addEventListener("click", () => {
      const wanted = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(wanted));
      this.tell(this.scenes().map((scene) => change(scene, wanted)).find(Boolean) ?? "");
    });
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(TYPED)) return;
    const [first] = this.scenes();
    const act = first && this.actions(first)[event.key];
    if (!act || (event.key.length > 1 && event.target.matches("[type=range]"))) return;
    event.preventDefault();
    event.stopPropagation(); // NiiVue has keys of its own for the same letters
    act();
  }

  actions(first) {
    const click = (name) => () => this.at(name)?.click();
    const choose = (name, value) => () => {
      this.at(name).value = value;
      this.at(name).dispatchEvent(new Event("change"));
    };
    const next = MARKS[(MARKS.indexOf(this.at("marks").value) + 1) % MARKS.length];
    const windows = [1, 2, 3, 4, 5].map((each) => [String(each), choose("window", each)]);
    return {
      ArrowUp: () => step(first, 1), ArrowRight: () => step(first, 1),
      ArrowDown: () => step(first, -1), ArrowLeft: () => step(first, -1),
      Home: () => first.show(first.view.slice),
      o: choose("marks", next), p: click("planes"), m: click("measure"), c: click("beside"),
      ...Object.fromEntries(windows),
    };
  }
}
