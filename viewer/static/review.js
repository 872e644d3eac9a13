// The review form: a reason is asked of who rejects, and a comment where nothing else says what is wrong.

const form = document.querySelector(".review-form:has([name=decision])");

function askWhatIsNeeded() {
  const decision = form.elements.decision.value;
  const rejected = decision === "rejected";
  form.elements.reason.required = rejected;
  const unsaid = rejected && form.elements.reason.value === "other";
  form.elements.comment.required = unsaid || decision === "needs_correction";
}

if (form) {
  form.addEventListener("change", askWhatIsNeeded);
  askWhatIsNeeded();
}
