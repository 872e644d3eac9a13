// Correcting a mask in the browser: the tools over the canvas, the draft on the server, saving.

import { text } from "../sentences.js";
import { fillBetween, grow, shrink } from "./brush.js";
import { ALL, Mask, filePlaces } from "./mask.js";
import { MaskFile, unpack } from "./nifti.js";
import { OtherPerson, Server, SessionEnded } from "./server.js";
import { Sheet } from "./sheet.js";

const REST = 150; // ms without a stroke until the draft is kept and measured
const AGAIN = 5000; // ms until what could not be kept is sent once more

// Where the page offers it and the scan is drawn by the graphics card; else masks are uploaded.
export function letDraw(page, figure, scene) {
  const section = page.querySelector(".drawing");
  if (!section) return;
  if (!scene.glass || !scene.view.mask) {
    section.remove();
    return;
  }
  section.hidden = false;
  const start = section.querySelector("[name=draw]");
  start.addEventListener("click", async () => {
    start.disabled = true;
    try {
      await new Bench(section, figure, scene).open();
    } catch (error) {
      start.disabled = false;
      tellFault(section, error);
    }
  });
}

function tellFault(section, error) {
  const fault = section.querySelector(".fault");
  section.querySelector(".bench").hidden = false;
  fault.hidden = false;
  fault.textContent = faultWords(error);
}

function faultWords(error) {
  if (error instanceof SessionEnded) return text("script_drawing.session_ended");
  if (error instanceof OtherPerson) return text("script_drawing.other_person");
  if (error instanceof TypeError) return text("script_drawing.no_server"); // of fetch
  return error.message;
}

class Bench {
  constructor(section, figure, scene) {
    Object.assign(this, { section, figure, scene, isErasing: false, isChanged: false, isDirty: false, changes: 0 });
    this.server = new Server(`/scans/${section.dataset.scan}`, section.dataset.person);
  }

  at(name) {
    return this.section.querySelector(`[name=${name}]`);
  }

  async open() {
    const { volume, axis, view } = this.scene;
    const dims = volume.dimsRAS.slice(1, 4);
    this.places = filePlaces(volume);
    const count = this.places.length;
    const published = await fetch(view.mask);
    if (!published.ok) throw new Error(text("script_drawing.no_mask"));
    this.file = new MaskFile(await unpack(await published.arrayBuffer()), count);
    const draft = await this.server.draft();
    this.isChanged = draft !== null;
    const begun = draft ? new MaskFile(await unpack(draft), count) : this.file;
    if (begun.head.length !== this.file.head.length) throw new Error(text("script_drawing.other_grid"));
    this.mask = new Mask(dims, spacingOf(this.scene.glass, dims), axis);
    this.mask.load(begun.marks, this.places);
    this.sheet = new Sheet(this.figure, this.scene, this.mask, () => this.brush);
    this.sheet.onmark = () => this.tellCount();
    this.sheet.onstroke = () => this.changed();
    this.section.querySelector(".start").hidden = true;
    this.section.querySelector(".bench").hidden = false;
    this.listen();
    this.refresh();
    this.keep();
  }

  get brush() {
    return { width: Number(this.at("width").value), isErasing: this.isErasing };
  }

  listen() {
    this.ear = new AbortController();
    const { signal } = this.ear;
    const on = (name, act) => this.at(name).addEventListener("click", act, { signal });
    on("brush", () => this.choose(false));
    on("erase", () => this.choose(true));
    on("between", () => this.change(fillBetween));
    on("grow", () => this.change(grow));
    on("shrink", () => this.change(shrink));
    on("undo", () => this.undo());
    on("leave", () => this.leave());
    on("discard", () => this.discard());
    this.at("width").addEventListener("input", () => this.tellWidth(), { signal });
    this.at("lesion").addEventListener("change", () => this.chooseLesion(), { signal });
    this.section.querySelector("form.save").addEventListener("submit", (event) => this.save(event), { signal });
    document.addEventListener("keydown", (event) => this.onKey(event), { capture: true, signal });
    window.addEventListener("beforeunload", (event) => { if (this.isDirty) event.preventDefault(); }, { signal });
    window.addEventListener("gliowatch:ended", (event) => event.preventDefault(), { signal });
    window.addEventListener("pagehide", () => { if (!this.isChanged) this.server.drop().catch(() => {}); }, { signal });
    this.tellWidth();
  }

  onKey(event) {
    if (!(event.ctrlKey || event.metaKey) || event.key !== "z" || event.target.matches("input:not([type=range])")) return;
    event.preventDefault();
    event.stopPropagation();
    this.undo();
  }

  choose(isErasing) {
    this.isErasing = isErasing;
    this.at("brush").setAttribute("aria-pressed", String(!isErasing));
    this.at("erase").setAttribute("aria-pressed", String(isErasing));
  }

  chooseLesion() {
    this.mask.lesion = Number(this.at("lesion").value);
    this.sheet.show();
    this.tellCount();
  }

  change(act) {
    this.mask.begin();
    act(this.mask);
    if (this.mask.end()) this.changed();
  }

  undo() {
    if (!this.mask.undone.length || this.mask.change) return;
    this.mask.undo();
    this.changed();
  }

  changed() {
    this.isChanged = this.isDirty = true;
    this.changes++;
    this.section.querySelector(".measured").textContent = text("script_drawing.measuring");
    this.refresh();
    this.keepSoon(REST);
  }

  refresh() {
    this.at("undo").disabled = !this.mask.undone.length;
    this.listLesions();
    this.tellCount();
    this.section.querySelector(".empty").hidden = this.mask.count > 0;
    this.sheet.show();
  }

  listLesions() {
    const { mask } = this;
    const labels = [...mask.sizes().keys()];
    const fresh = Math.max(0, ...labels) + 1;
    if (mask.lesion !== ALL && !labels.includes(mask.lesion)) labels.push(mask.lesion);
    labels.sort((one, other) => one - other);
    const options = [
      [ALL, text("script_drawing.all_lesions")],
      ...labels.map((label) => [label, text("script_drawing.lesion", { number: label })]),
    ];
    if (fresh < 255 && !labels.includes(fresh)) options.push([fresh, text("script_drawing.new_lesion")]);
    this.at("lesion").replaceChildren(...options.map(([label, words]) => new Option(words, label)));
    this.at("lesion").value = String(mask.lesion);
  }

  tellCount() {
    const count = this.mask.count;
    this.section.querySelector(".voxels").textContent = text("script_drawing.voxels", { count });
    this.section.querySelector(".voxels").dataset.count = String(count);
  }

  tellWidth() {
    this.at("width_told").textContent = text("script_drawing.width", { mm: this.at("width").value });
  }

  keepSoon(wait) {
    clearTimeout(this.later);
    this.later = setTimeout(() => this.keep(), wait);
  }

  // One request at a time; what was drawn meanwhile goes with the next.
  async keep() {
    if (this.keeping) return;
    this.isDirty = false;
    const { changes } = this;
    this.keeping = this.file.with(this.mask.marks(this.places)).then((packed) => this.server.keep(packed));
    try {
      this.tellKept(await this.keeping);
    } catch (error) {
      this.isDirty = this.isChanged;
      tellFault(this.section, error);
      this.section.querySelector(".measured").textContent = "";
      this.keepSoon(AGAIN);
      return;
    } finally {
      this.keeping = null;
    }
    if (this.changes !== changes) this.keepSoon(0);
  }

  tellKept({ figures, others }) {
    this.section.querySelector(".fault").hidden = true;
    if (this.isChanged) {
      const at = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
      this.section.querySelector(".kept").textContent = text("script_drawing.kept", { at });
    }
    const list = others.map((words) => Object.assign(document.createElement("li"), { textContent: words }));
    this.section.querySelector(".others").replaceChildren(...list);
    if (this.isDirty) return; // of what was drawn before
    this.section.querySelector(".measured").textContent = figures ? figureWords(figures) : text("script_drawing.not_measured");
    this.section.dataset.measured = figures ? String(figures.voxels) : "";
  }

  async save(event) {
    event.preventDefault();
    const fields = { revision: this.section.dataset.revision, comment: this.at("comment").value };
    if (!this.mask.count && this.at("says_empty").checked) fields.says_empty = "on";
    clearTimeout(this.later);
    await this.keeping?.catch(() => {}); // told already
    clearTimeout(this.later);
    const button = this.section.querySelector("[type=submit]");
    button.disabled = true;
    try {
      await this.server.send(await this.file.with(this.mask.marks(this.places)), fields);
    } catch (error) {
      button.disabled = false;
      tellFault(this.section, error);
      if (this.isDirty) this.keepSoon(AGAIN);
      return;
    }
    this.ear.abort();
    location.assign(`/scans/${this.section.dataset.scan}?corrected=1#corrections`);
  }

  async leave() {
    clearTimeout(this.later);
    await this.keeping?.catch(() => {}); // told already
    try {
      if (this.isDirty) await this.server.keep(await this.file.with(this.mask.marks(this.places)));
      else if (!this.isChanged) await this.server.drop();
    } catch (error) {
      tellFault(this.section, error);
      return;
    }
    this.away();
  }

  async discard() {
    if (this.isChanged && !window.confirm(text("script_drawing.sure"))) return;
    clearTimeout(this.later);
    await this.keeping?.catch(() => {}); // told already
    clearTimeout(this.later);
    try {
      await this.server.drop();
    } catch (error) {
      tellFault(this.section, error);
      return;
    }
    this.isChanged = false;
    this.section.querySelector(".own")?.remove();
    this.away();
  }

  // Back to the page as it was; a draft that is kept is told by its button.
  away() {
    clearTimeout(this.later);
    this.ear.abort();
    this.sheet.close();
    this.section.querySelector(".bench").hidden = true;
    this.section.querySelector(".start").hidden = false;
    const start = this.at("draw");
    start.disabled = false;
    start.textContent = text(this.isChanged ? "script_drawing.go_on" : "script_drawing.draw");
    start.focus();
  }
}

// mm between voxels along R, A, S.
function spacingOf(glass, dims) {
  const corner = glass.frac2mm([0, 0, 0], 0, true);
  return dims.map((count, axis) => {
    const end = glass.frac2mm([0, 1, 2].map((each) => (each === axis ? 1 : 0)), 0, true);
    return Math.hypot(...[0, 1, 2].map((each) => end[each] - corner[each])) / count;
  });
}

function figureWords({ size, count, lesions }) {
  const each = lesions.map((lesion) => {
    const { number, size: own, diameters } = lesion;
    return text("script_drawing.lesion_measures", { number: number, size: own, diameters: diameters });
  });
  const more = count > lesions.length ? [text("script_drawing.more", { count: count - lesions.length })] : [];
  return [text("script_drawing.size", { size }), ...each, ...more].join(" ");
}
