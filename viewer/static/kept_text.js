// Keeps what is typed into forms with data-kept until it is saved: through an ended session, a right
// that is gone, a closed page. It stays in this tab, for this account alone, and ends with the tab.

import { text } from "./sentences.js";

const PREFIX = "gliowatch:typed:";
const UNTOLD = "input[type=hidden], input[type=password], input[type=file], button";
const account = document.querySelector("meta[name=account]")?.content ?? "";
const unsaved = document.querySelector("meta[name=unsaved]")?.content ?? ""; // of a page that saved nothing
const here = location.pathname;
const forms = [...document.querySelectorAll("form[data-kept]")];
const begun = new Map(forms.map((form) => [form, JSON.stringify(valuesOf(form))]));
let isLeaving = false; // by a form that is sent, or since the session has ended: nobody is asked

function pathOf(form) {
  return new URL(form.getAttribute("action"), location.href).pathname;
}

function fieldsOf(form) {
  return [...form.elements].filter((each) => each.name && !each.matches(UNTOLD));
}

function valuesOf(form) {
  return fieldsOf(form).map((each) => [each.name, each.value, each.checked ?? null]);
}

function isChanged(form) {
  return JSON.stringify(valuesOf(form)) !== begun.get(form);
}

function drafts() {
  const keys = Object.keys(sessionStorage).filter((key) => key.startsWith(PREFIX));
  return keys.map((key) => [key, JSON.parse(sessionStorage.getItem(key))]);
}

function store(key, draft) {
  sessionStorage.setItem(key, JSON.stringify(draft));
}

function keyOf(form) {
  return `${PREFIX}${here} ${pathOf(form)}`;
}

function keep(form) {
  if (!isChanged(form)) {
    sessionStorage.removeItem(keyOf(form));
    return;
  }
  const values = valuesOf(form);
  store(keyOf(form), { account, page: here, action: pathOf(form), values, isSent: false });
}

// What was sent is saved, unless the page that came in answer says that it is not.
function settle() {
  const refused = [];
  for (const [key, draft] of drafts()) {
    if (draft.isSent && !unsaved) sessionStorage.removeItem(key);
    else if (account && draft.account !== account) sessionStorage.removeItem(key);
    else if (draft.isSent) {
      store(key, { ...draft, isSent: false });
      refused.push(draft);
    }
  }
  return refused;
}

function restore(form) {
  const draft = JSON.parse(sessionStorage.getItem(keyOf(form)));
  if (!draft) return false;
  for (const each of fieldsOf(form)) {
    const kept = draft.values.find(
      ([name, value]) => name === each.name && (each.type !== "radio" || value === each.value),
    );
    if (!kept) continue;
    if (each.matches("[type=radio], [type=checkbox]")) each.checked = kept[2];
    else each.value = kept[1];
  }
  form.closest("details")?.setAttribute("open", "");
  form.dispatchEvent(new Event("change", { bubbles: true }));
  form.before(notice(text("script_kept.restored"), () => {
    sessionStorage.removeItem(keyOf(form));
    isLeaving = true;
    location.reload();
  }));
  return true;
}

function notice(words, forget) {
  const box = document.createElement("p");
  box.className = "message kept";
  box.setAttribute("role", "status");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "secondary outline";
  button.textContent = text("script_kept.discard");
  button.addEventListener("click", forget);
  box.append(`${words} `, button);
  return box;
}

// What was typed where its form is no more: there to be read and copied, and to be gone back for.
function show(draft) {
  const typed = draft.values.filter(([, value, checked]) => checked === null && value.trim());
  const box = notice(text(account ? "script_kept.refused" : "script_kept.after_login"), () => {
    for (const [key, each] of drafts()) if (each.page === draft.page) sessionStorage.removeItem(key);
    box.remove();
  });
  if (!account) return document.getElementById("main").prepend(box); // it is nobody's to read
  for (const [, value] of typed) {
    const words = document.createElement("span");
    words.className = "comment";
    words.textContent = value;
    box.append(words);
  }
  if (draft.page !== here) {
    const back = document.createElement("a");
    back.href = draft.page;
    back.textContent = text("script_kept.back");
    box.append(back);
  }
  document.getElementById("main").prepend(box);
}

// For scripts that load the page anew since the session has ended: what was typed is kept.
export function leaveQuietly() {
  isLeaving = true;
}

function sent(event) {
  if (event.defaultPrevented) return;
  const action = pathOf(event.target);
  if (action === "/logout") for (const [key] of drafts()) sessionStorage.removeItem(key);
  if (event.target.matches("[data-kept]")) keep(event.target);
  for (const [key, draft] of drafts()) {
    if (draft.action === action && (draft.page === here || unsaved === "confirm")) {
      store(key, { ...draft, isSent: true });
    }
  }
  isLeaving = event.target.matches("[data-kept]") || !forms.some(isChanged);
}

function ask(event) {
  if (!isLeaving && forms.some(isChanged)) event.preventDefault();
}

const refused = settle();
if (unsaved !== "confirm") {
  const known = new Set(forms.map(pathOf));
  const orphans = drafts().map(([, draft]) => draft);
  for (const draft of orphans) {
    const isHere = account && draft.page === here && !known.has(draft.action);
    if (isHere || refused.some((each) => each.page === draft.page && each.action === draft.action)) show(draft);
  }
}
for (const form of forms) {
  restore(form);
  form.addEventListener("input", () => keep(form));
  form.addEventListener("change", () => keep(form));
}
document.addEventListener("submit", sent);
window.addEventListener("beforeunload", ask);
window.addEventListener("pageshow", (event) => { if (event.persisted) isLeaving = false; });
