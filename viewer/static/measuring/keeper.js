// The measurements of one scan: on the page as a list, kept by the server, brought up to date.

import { OtherPerson, Server, SessionEnded } from "../drawing/server.js";
import { text } from "../sentences.js";

const parser = new DOMParser();

export class Keeper {
  // view: of the scan; show: goes to a slice; tell: says a fault. Where the page has no list of this
  // scan, its shapes are drawn all the same.
  constructor(view, show, tell) {
    Object.assign(this, { view, show, tell, onlist: () => {} });
    const { scan, revision } = parts(view);
    this.place = document.querySelector(`#measurements[data-scan="${scan}"][data-revision="${revision}"]`);
  }

  // What stands on the page already, or what the server has.
  begin() {
    if (this.place) this.take(this.place);
    else this.load().catch(() => {}); // asked for again when something is measured
  }

  async load() {
    const answer = await fetch(`${this.view.base}/measurements${this.view.revision}`);
    if (!answer.ok) throw new Error(text("script_measuring.no_server"));
    this.read(await answer.text());
  }

  get mayKeep() {
    return this.section?.dataset.may === "yes";
  }

  // Measure a shape, and keep it where the person may; gives back what it measures, in words.
  async measure({ shape, points }) {
    if (!this.section) await this.load();
    const fields = { shape, points: JSON.stringify(points) };
    if (this.mayKeep) {
      await this.send("/measurements", fields);
      const listed = JSON.parse(this.section.dataset.shapes);
      return listed.findLast((each) => JSON.stringify(each.points) === fields.points)?.words ?? [];
    }
    const asked = new URLSearchParams(fields);
    const answer = await this.server.ask(`/measure${this.view.revision}&${asked}`, () => ({}));
    const { words } = await answer.json();
    return [...words, text("script_measuring.not_kept")];
  }

  async send(path, fields) {
    const answer = await this.server.ask(path + this.view.revision, (csrf) => ({
      method: "POST", body: new URLSearchParams({ ...fields, csrf }),
    }));
    this.read(await answer.text());
  }

  read(page) {
    const section = parser.parseFromString(page, "text/html").querySelector("#measurements");
    if (!section) return;
    if (this.place) {
      const isOpen = this.place.querySelector("details")?.open;
      const made = document.importNode(section, true);
      if (isOpen) made.querySelector("details")?.setAttribute("open", "");
      this.place.replaceWith(made);
      this.place = made;
    }
    this.take(this.place ?? section);
  }

  take(section) {
    this.section = section;
    this.server ??= new Server(this.view.base, section.dataset.person);
    for (const button of section.querySelectorAll(".go")) {
      button.addEventListener("click", () => this.show(button.dataset.slice - 1));
    }
    for (const form of section.querySelectorAll("form")) {
      form.addEventListener("submit", (event) => this.submit(event));
    }
    this.onlist(JSON.parse(section.dataset.shapes));
  }

  async submit(event) {
    event.preventDefault();
    const form = event.target;
    const path = new URL(form.action).pathname.slice(this.view.base.length);
    try {
      await this.send(path, Object.fromEntries(new FormData(form)));
    } catch (error) {
      this.tell(this.faultWords(error));
    }
  }

  // Whether it may well go a moment later: the session has ended, or the server is away.
  isPassing(error) {
    return [SessionEnded, OtherPerson, TypeError].some((kind) => error instanceof kind);
  }

  faultWords(error) {
    if (error instanceof SessionEnded) return text("script_measuring.session_ended");
    if (error instanceof OtherPerson) return text("script_measuring.other_person");
    if (error instanceof TypeError) return text("script_measuring.no_server"); // of fetch
    return error.message;
  }
}

// The scan and its revision, as addresses name them.
function parts({ base, revision }) {
  return { scan: base.split("/").at(-1), revision: new URLSearchParams(revision).get("revision") };
}
