// Sends files of an upload two at a time, each with its progress; what breaks can be tried again.

import { text } from "./sentences.js";

const AT_ONCE = 2;
const broken = () => text("script_upload.broken");

export class Sending {
  // address: gives the upload's address, made when it is first needed; changed: an item moved on;
  // idle: nothing is on its way any more.
  constructor(address, csrf, changed, idle) {
    Object.assign(this, { address, csrf, changed, idle, waiting: [], open: new Map() });
  }

  add(item) {
    Object.assign(item, { sent: 0, done: 0, fault: "", failed: [], size: total(item.files) });
    this.waiting.push(...item.files.map((each) => ({ ...each, item })));
    this.pump();
  }

  retry(item) {
    const again = item.failed;
    Object.assign(item, { failed: [], fault: "" });
    this.waiting.push(...again);
    this.pump();
  }

  leaveOut(item) {
    this.waiting = this.waiting.filter((each) => each.item !== item);
    item.failed = [];
    item.fault = "";
    item.leftOut = true;
    this.changed(item);
    this.rest();
  }

  stop() {
    this.waiting = [];
    for (const request of this.open.values()) request.abort();
  }

  get busy() {
    return this.waiting.length > 0 || this.open.size > 0;
  }

  pump() {
    while (this.open.size < AT_ONCE && this.waiting.length > 0) {
      const each = this.waiting.shift();
      this.open.set(each, { abort() {} });
      this.send(each).catch((error) => this.fail(each, error.message || broken())).finally(() => {
        this.open.delete(each);
        this.changed(each.item);
        this.pump();
        this.rest();
      });
    }
  }

  rest() {
    if (!this.busy) this.idle();
  }

  async send(each) {
    const address = await this.address();
    const request = new XMLHttpRequest();
    this.open.set(each, request);
    let before = 0;
    await new Promise((done) => {
      request.upload.onprogress = (event) => {
        each.item.sent += event.loaded - before;
        before = event.loaded;
        this.changed(each.item);
      };
      request.onloadend = done;
      request.open("PUT", `${address}/files`);
      request.setRequestHeader("X-CSRF-Token", this.csrf);
      request.setRequestHeader("X-File-Path", encodeURIComponent(each.path));
      request.send(each.file);
    });
    if (request.status === 204) {
      each.item.sent += each.file.size - before;
      each.item.done += 1;
      return;
    }
    each.item.sent -= before;
    throw new Error(request.status ? sentenceOf(request.responseText) : broken());
  }

  fail(each, fault) {
    each.item.failed.push(each);
    each.item.fault = fault;
  }
}

// The sentence of a page that tells of a fault.
export function sentenceOf(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  return page.querySelector("main p")?.textContent.trim() || broken();
}

function total(files) {
  return files.reduce((sum, each) => sum + each.file.size, 0);
}
