// What a person likes, kept in this browser: a choice that cannot be kept lasts as long as the page.

const BEGIN = "gliowatch.";
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
