// How a scan is shown: the buttons over one or two of them, and the keys that do the same.

import { text } from "../sentences.js";
import { windowWords } from "./annotations.js";
import { Gestures } from "./gestures.js";
import { keep, kept } from "./kept.js";
import { MouseTools } from "./mouse_tools.js";
import { Probability } from "./probability.js";
import { Keeper } from "../measuring/keeper.js";
import { POINTS, Shapes } from "../measuring/shapes.js";

const MARKS = ["outline", "fill", "none"];
const OWN = "own"; // the window of who dragged
const TYPED = "input:not([type=range]), textarea, select, [contenteditable]";

export class DisplayOptions {
  // scenes: gives those that are open, the one that the arrow keys scroll first.
  constructor(bar, said, scenes) {
    Object.assign(this, { bar, said, scenes });
    this.gestures = new Map(); // of each scene that was opened
    bar.hidden = false;
    this.mouse = new MouseTools(bar, (tool) => this.applyTool(tool));
    this.at("marks").addEventListener("change", () => this.applyMarks());
    this.at("opacity").addEventListener("input", () => this.applyMarks());
    this.at("window").addEventListener("change", () => this.applyWindow());
    this.at("reset").addEventListener("click", () => this.reset());
    this.onToggle("planes", (scene, wanted) => scene.planes(wanted));
    this.letPairUp();
    this.letTellProbability();
    this.letBeFull();
    this.letBePlain();
    document.addEventListener("keydown", (event) => this.onKey(event), true);
    for (const scene of scenes()) this.adopt(scene);
  }

  at(name) {
    return this.bar.querySelector(`[name=${name}]`);
  }

  isOn(name) {
    return this.at(name).getAttribute("aria-pressed") === "true";
  }

  // Where the page offers the network's probabilities, and the graphics card draws the scan.
  letTellProbability() {
    for (const name of ["map", "rim"]) {
      const button = this.at(name);
      const [scene] = this.scenes();
      if (!scene.glass) button?.remove();
      button?.addEventListener("click", async () => {
        this.probability ??= new Probability(scene);
        const isWanted = !this.isOn(name);
        button.setAttribute("aria-pressed", String(isWanted));
        const fault = await this.probability.show(name, isWanted);
        if (fault) for (const each of ["map", "rim"]) this.at(each)?.setAttribute("aria-pressed", "false");
        this.tell(fault);
      });
    }
  }

  // Two scans are zoomed and windowed together, and those that are not registered can be scrolled
  // apart and locked as they are then.
  letPairUp() {
    const [apart, together] = [this.at("apart"), this.at("together")];
    apart?.addEventListener("click", () => {
      if (!this.link || this.link.isByPlace) return; // the key reaches a hidden button too
      const isWanted = !this.isOn("apart");
      apart.setAttribute("aria-pressed", String(isWanted));
      const words = this.link.apart(isWanted);
      this.tell(words);
      document.querySelector(".aligned")?.replaceChildren(words);
    });
    together?.addEventListener("click", () => {
      together.setAttribute("aria-pressed", String(!this.isOn("together")));
    });
  }

  // link: of the two that are open; null where one is alone.
  pairUp(link) {
    this.link = link;
    this.at("apart").hidden = !link || link.isByPlace;
    this.at("apart").setAttribute("aria-pressed", "false");
    this.at("together").hidden = !link;
  }

  // The scenes that a gesture over one of them changes.
  peers(scene) {
    return !this.link || this.isOn("together") ? this.scenes() : [scene];
  }

  // Let a scene that was opened later look like the others.
  adopt(scene) {
    if (!this.gestures.has(scene)) {
      this.gestures.set(scene, new Gestures(scene, this.mouse, () => this.peers(scene)));
      for (const name of ["pointerdown", "wheel"]) {
        scene.stage.addEventListener(name, () => { this.last = scene; }, { passive: true });
      }
      if (scene.glass) this.letMeasure(scene);
    }
    scene.onwindow = (range) => this.tellWindow(range);
    this.applyMarks();
    this.applyWindow([scene]);
    if (this.isOn("planes")) scene.planes(true);
  }

  letMeasure(scene) {
    const tell = (words) => this.tell(words);
    scene.keeper = new Keeper(scene.view, (slice) => scene.show(slice), tell);
    scene.shapes = new Shapes(scene, scene.keeper, tell);
    scene.keeper.begin();
  }

  tell(words) {
    this.said.textContent = words;
  }

  // A window that was dragged is no preset any more.
  tellWindow(range) {
    if (!range) {
      this.tell(text("script_canvas.window_needs_webgl"));
      return;
    }
    this.at("window").querySelector(`[value=${OWN}]`).hidden = false;
    this.at("window").value = OWN;
    this.tell(windowWords(range));
  }

  applyMarks() {
    const kind = this.at("marks").value;
    this.at("opacity").disabled = kind !== "fill";
    for (const scene of this.scenes()) scene.marks(kind, this.at("opacity").value / 100);
  }

  // To both, or where they are windowed apart to that which was used last.
  applyWindow(scenes = this.peers(this.last ?? this.scenes()[0])) {
    const { value, selectedOptions } = this.at("window");
    if (value === OWN) return;
    for (const scene of scenes) {
      scene.presetName = selectedOptions[0].textContent;
      scene.window(Number(value));
    }
  }

  applyTool(tool) {
    const hints = {
      length: text("script_measuring.hint_length"),
      angle: text("script_measuring.hint_angle"),
      ellipse: text("script_measuring.hint_ellipse"),
      probe: text("script_measuring.hint_probe"),
    };
    const why = tool in POINTS && this.scenes().map((scene) => scene.noMeasuring).find(Boolean);
    this.tell(why || hints[tool] || "");
    for (const scene of this.scenes()) scene.shapes?.cancel();
  }

  // Zoom, place and window as the page opened.
  reset() {
    for (const scene of this.scenes()) scene.resetView();
    this.at("window").value = "1";
    this.applyWindow(this.scenes());
    this.tell("");
  }

  // A button that is in or out; `change` does it to a scene and gives what to tell, or ''.
  onToggle(name, change) {
    const button = this.at(name);
    button.addEventListener("click", () => {
      const wanted = !this.isOn(name);
      button.setAttribute("aria-pressed", String(wanted));
      this.tell(this.scenes().map((scene) => change(scene, wanted)).find(Boolean) ?? "");
    });
  }

  letBeFull() {
    const button = this.at("full");
    const part = this.bar.closest(".seeing") ?? this.bar.closest("main");
    button.hidden = !document.fullscreenEnabled;
    button.addEventListener("click", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else part.requestFullscreen();
    });
    document.addEventListener("fullscreenchange", () => {
      button.setAttribute("aria-pressed", String(document.fullscreenElement !== null));
    });
  }

  // Without the words over the picture, as this person left it.
  letBePlain() {
    const button = this.at("corners");
    const apply = (shown) => {
      button.setAttribute("aria-pressed", String(shown));
      document.body.classList.toggle("plain", !shown);
    };
    apply(kept("corners", "yes") === "yes");
    button.addEventListener("click", () => {
      apply(!this.isOn("corners"));
      keep("corners", this.isOn("corners") ? "yes" : "no");
    });
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(TYPED)) return;
    if (document.querySelector("dialog[open]")) return;
    const [first] = this.scenes();
    const act = first && !isOwned(event.key) && this.actions(first)[event.key];
    if (!act || (event.key.length > 1 && event.target.matches("[type=range], [type=radio]"))) return;
    event.preventDefault();
    event.stopPropagation();
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
      ArrowUp: () => first.scroll(1), ArrowRight: () => first.scroll(1),
      ArrowDown: () => first.scroll(-1), ArrowLeft: () => first.scroll(-1),
      Home: () => first.show(first.view.slice),
      o: choose("marks", next), p: click("planes"), c: click("beside"), l: click("apart"), y: click("map"), u: click("rim"), f: click("full"), i: click("corners"),
      v: () => first.enlargeNext(), 0: () => this.reset(),
      ...this.mouse.keys(),
      ...Object.fromEntries(windows),
    };
  }
}

// A key that something visible on the page has for itself, as the tools of who draws do.
function isOwned(key) {
  const owners = document.querySelectorAll(`[data-key="${CSS.escape(key)}"]:not(:disabled)`);
  return [...owners].some((each) => each.checkVisibility());
}
