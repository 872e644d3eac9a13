// What the scripts of a page say: it carries the sentences as data (viewer/templating.py).

const pages = [...document.querySelectorAll("meta[name=sentences]")];
const sentences = Object.assign({}, ...pages.map((meta) => JSON.parse(meta.content)));

// The sentence of a key with values in its {names}; `count` chooses between its forms one and other.
export function text(key, values = {}) {
  const form = key in sentences ? key : `${key}.${values.count === 1 ? "one" : "other"}`;
  return sentences[form].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
