// The review form: a reason is asked of who rejects, a comment where nothing else says what is wrong; a key leads on.

import { keep, kept } from "./canvas/kept.js";

const form = document.querySelector(".review-form:has([name=decision])");

function askWhatIsNeeded() {
  const { decision, reason, comment } = form.elements;
  const rejected = decision.value === "rejected";
  reason.required = rejected;
  comment.required = decision.value === "needs_correction" || (rejected && reason.value === "other");
}

// Chosen by its key, a decision has no focus itself: go where one types or presses Enter next.
function leadOn(event) {
  askWhatIsNeeded();
  const chosen = event.target;
  if (chosen.name !== "decision" || document.activeElement === chosen) return;
  const { reason, comment } = form.elements;
  const next = { rejected: reason, needs_correction: comment }[chosen.value];
  (next ?? form.querySelector("button")).focus();
}

// Whether the next scan opens after saving stays as this person left it.
function rememberGoingOn() {
  const box = form.elements.go_on;
  box.checked = kept("go_on", "no") === "yes";
  box.addEventListener("change", () => keep("go_on", box.checked ? "yes" : "no"));
}

if (form) {
  rememberGoingOn();
  form.addEventListener("change", leadOn);
  askWhatIsNeeded();
}
