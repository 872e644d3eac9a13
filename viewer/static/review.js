// The review form: a reason is asked of who rejects, a comment where nothing else says what is wrong; a key leads on.

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

if (form) {
  form.addEventListener("change", leadOn);
  askWhatIsNeeded();
}
