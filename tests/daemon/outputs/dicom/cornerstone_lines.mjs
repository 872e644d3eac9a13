// Reads an SR as OHIF does, with cornerstone's adapters, and prints the bidirectional lines.
// node cornerstone_lines.mjs NODE_MODULES SR.dcm PLANES.json
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, file, planesFile] = process.argv.slice(2);
globalThis.window ??= globalThis;
globalThis.self ??= globalThis;
globalThis.document ??= { createElement: () => ({ getContext: () => null, style: {} }) };
const load = (path) => import(pathToFileURL(`${modules}/${path}`));
const dcmjs = (await load("dcmjs/build/dcmjs.es.js")).default;
const core = await load("@cornerstonejs/core/dist/esm/index.js");
const { adaptersSR } = await load("@cornerstonejs/adapters/dist/esm/index.js");

const planes = JSON.parse(readFileSync(planesFile));
core.metaData.addProvider((type, id) => (type === "imagePlaneModule" ? planes[id] : undefined));
const bytes = readFileSync(file);
const message = dcmjs.data.DicomMessage.readFile(
  bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
);
const dataset = dcmjs.data.DicomMetaDictionary.naturalizeDataset(message.dict);
const images = Object.fromEntries(Object.keys(planes).map((uid) => [`${uid}:1`, uid]));
const report = adaptersSR.Cornerstone3D.MeasurementReport;
const state = report.generateToolState(dataset, images, core.metaData, {});
const lines = (state.Bidirectional ?? []).map((line) => ({
  image: line.annotation.metadata.referencedImageId,
  points: line.annotation.data.handles.points,
}));
console.log(JSON.stringify(lines));
process.exit(0);
