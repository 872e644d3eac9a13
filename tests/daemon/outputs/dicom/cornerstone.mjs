// What OHIF reads DICOM with, from the folder of npm packages that the first argument names.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

globalThis.window ??= globalThis;
globalThis.self ??= globalThis;
globalThis.document ??= { createElement: () => ({ getContext: () => null, style: {} }) };
const load = (path) => import(pathToFileURL(`${process.argv[2]}/${path}`));
export const dcmjs = (await load("dcmjs/build/dcmjs.es.js")).default;
export const core = await load("@cornerstonejs/core/dist/esm/index.js");
export const { adaptersSEG, adaptersSR } = await load("@cornerstonejs/adapters/dist/esm/index.js");

export function content(path) {
  const bytes = readFileSync(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}
