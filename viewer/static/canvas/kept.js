// What a person likes, kept in this browser for each account: a choice that cannot be kept lasts as
// long as the page.

const account = document.querySelector("meta[name=account]")?.content ?? "";
const BEGIN = `gliowatch.${account}.`;
const here = new Map();

export function keep(name, value) {
  here.set(name, value);
  try {
    localStorage.setItem(BEGIN + name, value);
  } catch {
    console.info("choices last as long as this page: the browser keeps none");
  }
}

export function kept(name, otherwise, allowed) {
  let value = here.get(name);
  try {
    value ??= localStorage.getItem(BEGIN + name);
  } catch {
    return value ?? otherwise;
  }
  return value !== null && value !== undefined && (!allowed || allowed.includes(value)) ? value : otherwise;
}
