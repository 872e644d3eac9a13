// One row of the list of files: its name, how far it is, and what can be done where it broke off.

import { text } from "./sentences.js";

export class Row {
  constructor(item, retry, leaveOut) {
    this.element = document.createElement("li");
    this.bar = document.createElement("progress");
    this.bar.max = Math.max(1, item.size || total(item));
    this.bar.setAttribute("aria-label", item.label);
    this.state = span("state-words");
    this.again = button(text("script_upload.try_again"), retry);
    this.out = button(text("script_upload.leave_out"), leaveOut);
    const name = span("name");
    name.textContent = item.label;
    const acts = span("acts");
    acts.append(this.again, this.out);
    this.element.append(name, this.bar, this.state, acts);
    this.show({ sent: 0, done: 0, fault: "", failed: [], ...item });
  }

  show(item) {
    const count = item.files.length;
    this.bar.value = item.sent;
    this.again.hidden = this.out.hidden = item.failed.length === 0;
    const percent = Math.floor((100 * item.sent) / this.bar.max);
    if (item.leftOut) this.state.textContent = text("script_upload.left_out");
    else if (item.failed.length > 0) this.state.textContent = item.fault;
    else if (item.done === count) this.state.textContent = text("script_upload.arrived", { count });
    else if (count === 1) this.state.textContent = text("script_upload.progress", { percent });
    else this.state.textContent = text("script_upload.progress_files", { done: item.done, count, percent });
  }
}

function total(item) {
  return item.files.reduce((sum, each) => sum + each.file.size, 0);
}

function span(name) {
  const element = document.createElement("span");
  element.className = name;
  return element;
}

function button(words, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "secondary outline";
  element.textContent = words;
  element.hidden = true;
  element.addEventListener("click", act);
  return element;
}
